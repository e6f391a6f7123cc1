using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Tor;

namespace TorBalancer.Tests.Tor;

public sealed class PluggableTransportsTests
{
    private static readonly BridgeLine Obfs4 = new("obfs4 192.0.2.7:443 cert=a iat-mode=0", "obfs4");
    private static readonly BridgeLine Snowflake = new("snowflake 192.0.2.3:80", "snowflake");
    private static readonly BridgeLine Plain = new("192.0.2.9:443", null);

    [Test]
    public void No_bridges_need_nothing()
    {
        var (lines, problem) = PluggableTransports.TorrcLines([], [], static _ => null);
        Assert.That((lines.Count, problem), Is.EqualTo((0, (string?)null)));
    }

    [Test]
    public void Plain_bridges_need_no_program() =>
        Assert.That(
            PluggableTransports.TorrcLines([Plain], [], static _ => null).Lines,
            Is.EqualTo(new[] { "UseBridges 1", "Bridge " + Plain.Text }));

    [Test]
    public void Programs_are_found_and_shared()
    {
        string? Find(string name) => name is "obfs4proxy" or "lyrebird" ? "/usr/bin/" + name : null;
        Assert.That(
            PluggableTransports.TorrcLines([Obfs4, Snowflake, Plain, Obfs4], [], Find).Lines,
            Is.EqualTo(new[]
            {
                "UseBridges 1", "ClientTransportPlugin obfs4,snowflake exec /usr/bin/lyrebird", "Bridge " + Obfs4.Text,
                "Bridge " + Snowflake.Text, "Bridge " + Plain.Text, "Bridge " + Obfs4.Text,
            }));
        Assert.That(
            PluggableTransports.TorrcLines([Obfs4], [new TransportProgram("obfs4", "/opt/x -y")], static name => name).Lines[1],
            Is.EqualTo("ClientTransportPlugin obfs4 exec /opt/x -y"));
    }

    [Test]
    public void What_is_missing_is_named_with_its_package()
    {
        Assert.That(
            PluggableTransports.TorrcLines([Obfs4], [], static _ => null).Problem,
            Does.Contain("transport obfs4").And.Contain("(lyrebird, obfs4proxy)").And.Contain("Debian's package obfs4proxy"));
        Assert.That(
            PluggableTransports.TorrcLines([new BridgeLine("", "new")], [], static name => name).Problem,
            Does.Contain("of which nothing is known").And.Contain("Transports = new="));
        Assert.That(
            PluggableTransports.TorrcLines([Obfs4], [new TransportProgram("obfs4", "/opt/x -y")], static _ => null).Problem,
            Does.Contain("/opt/x is no program"));
        Assert.That(
            PluggableTransports.TorrcLines([Plain, new BridgeLine("", "new") { Line = 7 }], [], static name => name).Problem,
            Does.StartWith("the bridge in line 7 has the transport new"));
    }
}
