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
        var (lines, problems) = Lines([], static _ => null);
        Assert.That((lines.Count, problems.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Plain_bridges_need_no_program() =>
        Assert.That(Lines([Plain], static _ => null).Lines, Is.EqualTo(new[] { "UseBridges 1", "Bridge " + Plain.Text }));

    [Test]
    public void Programs_are_found_and_shared()
    {
        string? Find(string name) => name is "obfs4proxy" or "lyrebird" ? "/usr/bin/" + name : null;
        Assert.That(
            Lines([Obfs4, Snowflake, Plain, Obfs4], Find).Lines,
            Is.EqualTo(new[]
            {
                "UseBridges 1", "ClientTransportPlugin obfs4,snowflake exec /usr/bin/lyrebird", "Bridge " + Obfs4.Text,
                "Bridge " + Snowflake.Text, "Bridge " + Plain.Text, "Bridge " + Obfs4.Text,
            }));
        Assert.That(
            Lines([Obfs4], static name => name, new TransportProgram("obfs4", "/opt/x -y")).Lines[1],
            Is.EqualTo("ClientTransportPlugin obfs4 exec /opt/x -y"));
    }

    [TestCase("obfs4", "Bridges: its bridge line has the transport obfs4, and none of the programs for it is in PATH "
        + "(lyrebird, obfs4proxy): install Debian's package obfs4proxy, or name one by Transports = obfs4=/path/to/program")]
    [TestCase("webtunnel", "Bridges: its bridge line has the transport webtunnel, and none of the programs for it is in PATH "
        + "(lyrebird, webtunnel-client): name one by Transports = webtunnel=/path/to/program")]
    [TestCase("snowflake", "Bridges: its bridge line has the transport snowflake, and none of the programs for it is in PATH "
        + "(snowflake-client, lyrebird): install Debian's package snowflake-client, or name one by "
        + "Transports = snowflake=/path/to/program")]
    [TestCase("conjure", "Bridges: its bridge line has the transport conjure, and none of the programs for it is in PATH (conjure-client): "
        + "name one by Transports = conjure=/path/to/program")]
    [TestCase("new", "Bridges: its bridge line has the transport new, of which nothing is known: name its program by "
        + "Transports = new=/path/to/program")]
    public void What_is_missing_is_named_with_its_package(string transport, string says) =>
        Assert.That(
            Lines([new BridgeLine("", transport)], static _ => null).Problems, Is.EqualTo(new[] { new TransportProblem("Bridges", says) }));

    [Test]
    public void Each_transport_that_lacks_its_program_is_named_once_with_where_the_bridge_stands()
    {
        BridgeLine[] bridges =
            [Plain, Obfs4 with { Number = 2 }, Snowflake with { Number = 5 }, Obfs4 with { Number = 6 }, new("", "new", 7)];
        var (lines, problems) = PluggableTransports.TorrcLines(
            new ManagedWorkersOptions { BridgesFile = "/etc/bridges", Transports = [new TransportProgram("new", "/opt/x -y")] }, bridges,
            static name => name == "lyrebird" ? "/usr/bin/lyrebird" : null);
        Assert.That(lines, Is.Empty);
        Assert.That(
            problems,
            Is.EqualTo(new[] { new TransportProblem("Transports", "Transports = new=/opt/x -y: /opt/x is no program that can be run") }));

        (_, problems) = PluggableTransports.TorrcLines(
            new ManagedWorkersOptions { BridgesFile = "/etc/bridges" }, bridges, static _ => null);
        Assert.That(
            problems.Select(static one => one.Message[..one.Message.IndexOf(',', StringComparison.Ordinal)]),
            Is.EqualTo(new[]
            {
                "Bridges = \"/etc/bridges\" line 2 has the transport obfs4",
                "Bridges = \"/etc/bridges\" line 5 has the transport snowflake",
                "Bridges = \"/etc/bridges\" line 7 has the transport new",
            }));
        Assert.That(
            Lines([Plain, Obfs4 with { Number = 2 }], static _ => null).Problems.Single().Message,
            Does.StartWith("Bridges: bridge line 2 of it has the transport obfs4, and"));
    }

    private static (IReadOnlyList<string> Lines, IReadOnlyList<TransportProblem> Problems) Lines(
        IReadOnlyList<BridgeLine> bridges, Func<string, string?> find, params TransportProgram[] programs) =>
        PluggableTransports.TorrcLines(new ManagedWorkersOptions { Bridges = bridges, Transports = programs }, bridges, find);
}
