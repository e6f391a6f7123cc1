using TorBalancer.Daemon.Tor;

namespace TorBalancer.Tests.Tor;

public sealed class ManagedWorkerPathsTests
{
    [TestCase("auto", "HOME=/home/u", "/home/u/.local/state/torbalancer", "/home/u/.local/state/torbalancer/run")]
    [TestCase("AUTO", "HOME=/home/u;XDG_STATE_HOME=/s", "/s/torbalancer", "/s/torbalancer/run")]
    [TestCase("", "HOME=/home/u;XDG_STATE_HOME=relative", "/home/u/.local/state/torbalancer", "/home/u/.local/state/torbalancer/run")]
    [TestCase("auto", "HOME=/;STATE_DIRECTORY=/var/lib/a:/var/lib/b;XDG_STATE_HOME=/s", "/var/lib/a", "/var/lib/a/run")]
    [TestCase("/data/x/../y", "STATE_DIRECTORY=/var/lib/a", "/data/y", "/data/y/run")]
    [TestCase("/d", "RUNTIME_DIRECTORY=/run/tb", "/d", "/run/tb/workers-*")]
    [TestCase("/d", "XDG_RUNTIME_DIR=/tmp", "/d", "/tmp/torbalancer/workers-*")]
    [TestCase("/d", "XDG_RUNTIME_DIR=/no/such/directory", "/d", "/d/run")]
    public void Resolve(string configured, string environment, string root, string sockets)
    {
        var variables = environment.Split(';').Select(one => one.Split('=')).ToDictionary(one => one[0], one => one[1]);

        var paths = ManagedWorkerPaths.Resolve(configured, 3, name => variables.GetValueOrDefault(name));

        Assert.That(paths.Root, Is.EqualTo(root));
        Assert.That(paths.Sockets, sockets.EndsWith('*') ? Does.StartWith(sockets[..^1]) : Is.EqualTo(sockets));
    }

    [Test]
    public void Resolve_keeps_the_sockets_of_two_roots_apart()
    {
        static string? Environment(string name) => name == "RUNTIME_DIRECTORY" ? "/run/tb" : null;
        Assert.That(
            ManagedWorkerPaths.Resolve("/a", 1, Environment).Sockets,
            Is.Not.EqualTo(ManagedWorkerPaths.Resolve("/b", 1, Environment).Sockets));
    }

    [TestCase(93, 1, true)]
    [TestCase(94, 1, false)]
    [TestCase(92, 10, true)]
    [TestCase(93, 10, false)]
    public void Resolve_uses_no_sockets_when_a_path_would_be_too_long(int length, int count, bool fits)
    {
        // <root>/run/tor-N/control: 4 + 6 + 8 bytes behind the root with one digit.
        string root = "/" + new string('x', length - 5);
        var paths = ManagedWorkerPaths.Resolve(root, count, _ => null);
        Assert.That(paths.Sockets is not null, Is.EqualTo(fits));
        if (fits)
            Assert.That(paths.ControlSocket($"tor-{count}"), Has.Length.LessThanOrEqualTo(107));
    }

    [Test]
    public void Torrc_quotes_paths_and_puts_what_must_be_so_last()
    {
        var paths = new ManagedWorkerPaths("/a \"b\"#c", "/run/x y");
        var lines = ManagedTorrc.Lines(paths, "tor-1", ["SafeLogging 0", "ClientOnly 0"], 42).ToList();

        Assert.That(lines, Does.Contain("""DataDirectory "/a \"b\"#c/tor-1" """.TrimEnd()));
        Assert.That(
            lines, Does.Contain("""SocksPort "unix:\"/run/x y/tor-1/socks\" ExtendedErrors KeepAliveIsolateSOCKSAuth" """.TrimEnd()));
        Assert.That(lines, Does.Contain("__OwningControllerProcess 42"));
        Assert.That(lines.IndexOf("SafeLogging 0"), Is.GreaterThan(lines.IndexOf("SafeLogging 1")));
        Assert.That(lines.IndexOf("ClientOnly 0"), Is.LessThan(lines.IndexOf("ClientOnly 1")));
    }
}
