using TorBalancer.Daemon.Commands;
using TorBalancer.Tests.Configuration;

namespace TorBalancer.Tests.Commands;

public class EnvCommandTests
{
    [TestCase("", "http://127.0.0.1:1080")]
    [TestCase("[Listener:a]\nAddress = [::]:1090\nAllowFrom = ::1\nProtocols = http", "http://[::1]:1090")]
    [TestCase("[Listener:a]\nAddress = [::]:1090\nAllowFrom = 127.0.0.0/8\nProtocols = http", "http://127.0.0.1:1090")]
    [TestCase("[Listener:a]\nProtocols = socks5\n[Listener:b]\nAddress = 127.0.0.1:1090\nProtocols = http", "http://127.0.0.1:1090")]
    [TestCase(
        "[Listener:a]\nAddress = unix:/tmp/a\n[Listener:b]\nAddress = 127.0.0.1:1090\nProtocols = socks5, socks4",
        "socks5h://127.0.0.1:1090")]
    [TestCase(
        "[Listener:a]\nAddress = 127.0.0.1:0\n[Listener:b]\nAddress = 127.0.0.1:1090\nProtocols = socks5", "socks5h://127.0.0.1:1090")]
    [TestCase(
        "[Listener:a]\nAddress = 0.0.0.0:1090\nAllowFrom = 10.0.0.0/8\n[Listener:b]\nAddress = 127.0.0.1:1091\nProtocols = socks5",
        "socks5h://127.0.0.1:1091")]
    [TestCase(
        "[Listener:a]\nAuth = required\nUsers = a:b\n[Listener:b]\nAddress = 127.0.0.1:1091\nProtocols = socks4",
        "socks4a://127.0.0.1:1091")]
    [TestCase(
        "[Listener:a]\nAddress = 127.0.0.1:1090\nProtocols = socks5\n[Listener:b]\nAddress = 127.0.0.1:1091\nAuth = optional\nUsers = a:b",
        "http://127.0.0.1:1091")]
    [TestCase("[Listener:a]\nAddress = [::1]:1090\nProtocols = socks4", "socks4a://[::1]:1090")]
    [TestCase("[Listener:a]\nTls = c.pem, k.pem", "https://127.0.0.1:1080")]
    [TestCase(
        "[Listener:a]\nTls = c.pem, k.pem\n[Listener:b]\nAddress = 127.0.0.1:1090\nProtocols = socks5", "socks5h://127.0.0.1:1090")]
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
    public void Env_port_that_the_system_picks_is_1_and_says_what_to_do()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();

        int code = EnvCommand.Print(Loading.Text("[Listener:a]\nAddress = 127.0.0.1:0").Options, output, error);

        Assert.That((code, output.ToString()), Is.EqualTo((1, "")));
        Assert.That(
            error.ToString(),
            Does.Contain("[Listener:a] Address = 127.0.0.1:0").And.Contain("the log says which").And.Contain("127.0.0.1:1080"));
    }

    [Test]
    public void Env_listener_that_asks_for_a_user_says_where_to_write_it()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();

        EnvCommand.Print(Loading.Text("[Listener:a]\nAuth = required\nUsers = ann:s3cret").Options, output, error);

        Assert.That(
            output.ToString(), Does.StartWith("# a asks for a user: write name:password@ behind http://").And.Not.Contain("s3cret"));
    }

    [Test]
    public void Env_without_a_listener_that_lets_this_machine_in_is_1()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();

        int code = EnvCommand.Print(Loading.Text("[Listener:a]\nAddress = 0.0.0.0:1090\nAllowFrom = 10.0.0.0/8").Options, output, error);

        Assert.That((code, output.ToString()), Is.EqualTo((1, "")));
        Assert.That(error.ToString(), Does.Contain("no listener lets programs on this machine in").And.Contain("[Listener:a] AllowFrom"));
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
