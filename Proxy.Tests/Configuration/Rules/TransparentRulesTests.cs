namespace TorBalancer.Tests.Configuration.Rules;

public class TransparentRulesTests
{
    private const string Transparent = "[Listener:lan]\nProtocols = transparent\n";

    [TestCase("")]
    [TestCase("Address = 192.168.1.1:9040\nAllowFrom = 192.168.1.0/24\nTransparent = redirect\nSniff = yes")]
    [TestCase("Address = [::]:9040\nAllowFrom = 192.168.1.0/24, fd00::/8\nTransparent = tproxy\nIsolation = connection")]
    public void Transparent_listener_is_taken(string keys)
    {
        var result = Loading.Text(Transparent + keys);

        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
    }

    [TestCase("Address = unix:/run/x.sock", "3", "a transparent listener is on host:port or [v6]:port: nothing is turned to a unix socket")]
    [TestCase("Auth = optional\nUsers = a:b", "3", "clients of a transparent listener cannot be asked for a password: allowed is none; "
        + "AllowFrom says who may come")]
    [TestCase("ProxyProtocol = 127.0.0.1", "3", "nobody speaks for the clients of a transparent listener: allowed is off")]
    public void Transparent_listener_with_what_needs_a_client_that_knows_it_is_refused(string keys, string line, string expected) =>
        Assert.That(Loading.Errors(Transparent + keys), Is.EqualTo($"t.conf:{line}: [Listener:lan] {expected}"));

    [Test]
    public void Transparent_beside_another_protocol_is_refused() =>
        Assert.That(
            Loading.Errors("[Listener:lan]\nProtocols = transparent, http"),
            Is.EqualTo("t.conf:2: [Listener:lan] transparent stands alone: clients that know of no proxy need not speak first, so nothing "
                + "tells them from others; allowed beside it is another [Listener:name]"));

    [Test]
    public void Transparent_listener_that_others_reach_needs_AllowFrom() =>
        Assert.That(Loading.Errors(Transparent + "Address = 192.168.1.1:9040"), Does.Contain("can be reached from other machines"));

    [TestCase("Transparent = tproxy", "Transparent")]
    [TestCase("Sniff = yes", "Sniff")]
    public void Keys_of_a_transparent_listener_elsewhere_are_a_warning(string keys, string key) =>
        Assert.That(
            Loading.Join(Loading.Text("[Listener:main]\n" + keys).Warnings),
            Is.EqualTo($"t.conf:2: [Listener:main] {key} says nothing without Protocols = transparent"));

    [TestCase("[Listener:lan]\nProtocols = transparent\nIsolation = user", 3)]
    [TestCase("[Balancing]\nIsolation = user\n[Listener:lan]\nProtocols = transparent", 4)]
    public void Isolation_by_user_there_is_a_warning(string text, int line) =>
        Assert.That(
            Loading.Join(Loading.Text(text).Warnings),
            Does.StartWith($"t.conf:{line}: [Listener:lan] Isolation = user keeps nobody apart"));

    [TestCase("[Listener:lan]\nProtocols = transparant", "transparent")]
    [TestCase("[Listener:lan]\nProtocols = transparent\nTransparent = tprox", "tproxy")]
    public void Misspelt_words_are_corrected(string text, string meant) =>
        Assert.That(Loading.Errors(text), Does.Contain($"\"{meant}\""));
}
