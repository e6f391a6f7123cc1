using TorBalancer.Configuration;

namespace TorBalancer.Tests.Configuration;

public class BothFamiliesTests
{
    private const string Any = "[Listener:a]\nAddress = [::]:1090\nAllowFrom = 10.0.0.0/8\n";

    [TestCase(Any, true)]
    [TestCase(Any + "[Listener:b]\nAddress = 0.0.0.0:1090\nAllowFrom = 10.0.0.0/8\n", false)]
    [TestCase(Any + "[Listener:b]\nAddress = 127.0.0.1:1090\n", false)]
    [TestCase(Any + "[Listener:b]\nAddress = 127.0.0.1:1091\n[Admin]\nAddress = none\n", true)]
    [TestCase(Any + "[Admin]\nAddress = 127.0.0.1:1090\n", false)]
    [TestCase(Any + "[Listener:b]\nAddress = 127.0.0.1:1085-1095\nSession = port\n", false)]
    [TestCase(Any + "[Listener:b]\nAddress = 127.0.0.1:1091-1095\nSession = port\n", true)]
    [TestCase("[Listener:a]\nAddress = [::1]:1090\n", false)]
    [TestCase("[Listener:a]\nAddress = 0.0.0.0:1090\nAllowFrom = 10.0.0.0/8\n", false)]
    public void Serves_both_families_on_any_address_unless_the_port_is_another_s(string text, bool both)
    {
        var result = Loading.Text(text);

        Assert.That(result.Errors, Is.Empty);
        Assert.That(BothFamilies.Serves(result.Options, result.Options.Listeners[0]), Is.EqualTo(both));
    }
}
