using TorBalancer.Daemon.Commands;
using TorBalancer.Tests.Configuration;

namespace TorBalancer.Tests.Commands;

public class EnvCommandTests
{
    [TestCase("", "http://127.0.0.1:1080")]
    [TestCase("[Listener:a]\nAddress = [::]:1090\nAllowFrom = ::1\nProtocols = http", "http://[::1]:1090")]
    [TestCase("[Listener:a]\nProtocols = socks5\n[Listener:b]\nAddress = 127.0.0.1:1090\nProtocols = http", "http://127.0.0.1:1090")]
    [TestCase("[Listener:a]\nAddress = unix:/tmp/a\n[Listener:b]\nAddress = 127.0.0.1:1090\nProtocols = socks5, socks4", "socks5h://127.0.0.1:1090")]
    [TestCase("[Listener:a]\nAddress = [::1]:1090\nProtocols = socks4", "socks4a://[::1]:1090")]
    public void Env_names_the_best_that_a_listener_speaks(string text, string expected)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter();

        int code = EnvCommand.Print(Loading.Text(text).Options, output, error);

        Assert.That((code, error.ToString()), Is.EqualTo((0, "")));
        foreach (string name in (string[])["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
            Assert.That(output.ToString(), Does.Contain($"\nexport {name}={expected}\n"));
    }

    [Test]
    public void Env_without_a_TCP_listener_is_1()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();

        int code = EnvCommand.Print(Loading.Text("[Listener:a]\nAddress = unix:/tmp/a").Options, output, error);

        Assert.That((code, output.ToString()), Is.EqualTo((1, "")));
        Assert.That(error.ToString(), Does.Contain("no listener has a TCP address"));
    }
}
