namespace TorBalancer.Tests.Configuration.Rules;

public class AddressRulesTests
{
    [TestCase("[Listener:a]\n[Listener:b]",
        "t.conf:2: [Listener:b] Address = \"127.0.0.1:1080\" is taken by [Listener:a] Address = \"127.0.0.1:1080\"")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:1081", "built-in defaults: x")]
    [TestCase("[Listener:a]\nAddress = 0.0.0.0:1081\nAllowFrom = 10.0.0.0/8", "overlap")]
    [TestCase("[Listener:a]\nAddress = unix:/x\n[Admin]\nSocket = unix:/x",
        "t.conf:4: [Admin] Socket = \"/x\" is taken by [Listener:a] Address = \"/x\"")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:20000-20099\nSession = port\n[Listener:b]\nAddress = 127.0.0.1:20099",
        "t.conf:5: [Listener:b] Address = \"127.0.0.1:20099\" is taken by [Listener:a] Address = \"127.0.0.1:20000-20099\"")]
    [TestCase(
        "[Listener:a]\nAddress = 127.0.0.1:20050\n[Listener:b]\nAddress = 0.0.0.0:20000-20099\nAllowFrom = 10.0.0.0/8\nSession = port",
        "t.conf:4: [Listener:b] Address = \"0.0.0.0:20000-20099\" is taken by [Listener:a] Address = \"127.0.0.1:20050\"")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:10-20\nSession = port\n[Listener:b]\nAddress = 127.0.0.1:20-30\nSession = port",
        "t.conf:5: [Listener:b] Address = \"127.0.0.1:20-30\" is taken by [Listener:a] Address = \"127.0.0.1:10-20\"")]
    public void Addresses_given_twice_refused(string text, string expected)
    {
        string errors = Loading.Errors(text);
        if (expected.StartsWith("t.conf", StringComparison.Ordinal))
            Assert.That(errors, Is.EqualTo(expected));
        else
        {
            Assert.That(errors, Does.StartWith("t.conf:2: [Listener:a] Address = ")
                .And.EndsWith("1081\" is taken by [Admin] Address = \"127.0.0.1:1081\", its default"));
        }
    }

    [TestCase("[Listener:a]\nAddress = 127.0.0.1:0\n[Listener:b]\nAddress = 127.0.0.1:0")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:5\n[Listener:b]\nAddress = [::1]:5")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:5\n[Listener:b]\nAddress = 127.0.0.2:5")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:10-19\nSession = port\n[Listener:b]\nAddress = 127.0.0.1:20-30\nSession = port")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:1081\n[Admin]\nAddress = none")]
    public void Addresses_that_differ_accepted(string text) => Assert.That(Loading.Errors(text), Is.Empty);
}
