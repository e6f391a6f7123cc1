using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Connecting;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;

namespace TorBalancer.Tests.TorControl.Relays;

/// <summary>Which streams are ended because no exit takes them, at a scripted control port that is asked to.</summary>
public sealed class HopelessStreamsTests
{
    private const string Refused = "REASON=END REMOTE_REASON=EXITPOLICY";

    private readonly ManualTimeProvider _clock = new();
    private ListLogger _log = null!;
    private HopelessStreams _streams = null!;

    [SetUp]
    public void Create() => _streams = new HopelessStreams("w", _clock, new Logger<HopelessStreamsTests>(_log = new ListLogger()));

    [Test]
    public void Our_user_name_is_that_of_tokens() =>
        Assert.That(Encoding.ASCII.GetString(IsolationToken.UserName), Is.EqualTo(HopelessStreams.OurUserName));

    [Test, CancelAfter(20_000)]
    public async Task An_exit_that_refuses_twice_ends_the_stream(CancellationToken token)
    {
        Assert.That(Observe(New("7", "blocked.test:80"), "STREAM 7 SENTCONNECT 3 blocked.test:80"), Is.False);
        Assert.That(Observe($"STREAM 7 DETACHED 3 192.0.2.1:80 {Refused}", "STREAM 7 SENTCONNECT 3 192.0.2.1:80"), Is.False, "once");
        Assert.That(Observe($"STREAM 7 DETACHED 3 192.0.2.1:80 {Refused}"), Is.True);
        Assert.That(await EndedAsync(token), Is.EqualTo(new[] { "CLOSESTREAM 7 4" }));
        Assert.That(Observe($"STREAM 7 DETACHED 3 192.0.2.1:80 {Refused}"), Is.False, "it has been asked for");
        Assert.That(await EndedAsync(token), Is.Empty);
    }

    [Test]
    public void Three_exits_that_refuse_end_it_and_other_reasons_do_not()
    {
        Observe(New("7", "blocked.test:80"));
        Assert.That(Refuse("3"), Is.False);
        Assert.That(Refuse("4"), Is.False);
        Assert.That(Refuse("5"), Is.True);
        Observe(New("8", "slow.test:80"));
        for (int i = 0; i < 10; i++)
        {
            Assert.That(
                Observe("STREAM 8 SENTCONNECT 3 slow.test:80", "STREAM 8 DETACHED 3 slow.test:80 REASON=TIMEOUT"), Is.False);
        }

        bool Refuse(string circuit) =>
            Observe($"STREAM 7 SENTCONNECT {circuit} 192.0.2.1:80", $"STREAM 7 DETACHED {circuit} 192.0.2.1:80 {Refused}");
    }

    [Test, CancelAfter(20_000)]
    public async Task Circuits_that_are_built_for_a_stream_and_of_no_use_to_it_end_it_and_others_at_that_port(CancellationToken token)
    {
        Observe(New("7", "a.test:25"), New("8", "a.test:80", "other"));
        int built = 0;
        while (!Observe(Built($"{++built}", "g,m,e", "t")))
            Assert.That(built, Is.LessThanOrEqualTo(HopelessStreams.MostCircuits));
        Assert.That(await EndedAsync(token), Is.EqualTo(new[] { "CLOSESTREAM 7 4" }));
        Assert.That(
            _log.Entries.Select(static entry => entry.Message).Where(static told => told.Contains("port 25", StringComparison.Ordinal)),
            Is.EqualTo(new[]
            {
                "Worker w: none of the exits that its tor may use takes port 25: connections there are refused for a while",
            }));

        Assert.That(Observe(New("9", "b.test:25", "next")), Is.True, "it is known by now");
        Assert.That(Observe(New("10", "b.test:26", "next")), Is.False);
        Assert.That(Observe(New("11", "[2001:db8::1]:25", "next")), Is.False, "exits have another policy for IPv6");
        Assert.That(await EndedAsync(token), Is.EqualTo(new[] { "CLOSESTREAM 9 4" }));
    }

    [Test]
    public void A_port_of_nobody_is_told_once_however_many_find_it_out()
    {
        Observe(New("7", "a.test:25"), New("8", "b.test:25", "other"));
        for (int i = 0; i <= HopelessStreams.MostCircuits; i++)
            Observe(Built($"{i}", "g,m,e", "t"), Built($"1{i}", "g,m,e", "other"));
        Assert.That(
            _log.Entries.Count(static entry => entry.Message.Contains("takes port 25:", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    [TestCase("STATUS_CLIENT NOTICE CONSENSUS_ARRIVED", 0)]
    [TestCase("CONF_CHANGED", 0)]
    [TestCase("CIRC 900 LAUNCHED", 6)]
    public void What_is_known_of_a_port_ends_with_what_it_follows_from_and_after_some_minutes(string message, int minutes)
    {
        Observe(New("7", "a.test:25"));
        for (int i = 0; i <= HopelessStreams.MostCircuits; i++)
            Observe(Built($"{i}", "g,m,e", "t"));
        Assert.That(Observe(New("8", "a.test:25")), Is.True);
        _clock.Advance(TimeSpan.FromMinutes(minutes));
        Observe(message);
        Assert.That(Observe(New("9", "a.test:25")), Is.False);
    }

    [Test]
    public void A_stream_that_takes_a_circuit_or_ends_is_left_alone()
    {
        Observe(New("7", "a.test:80"), "STREAM 7 SENTCONNECT 1 a.test:80");
        Observe(New("8", "a.test:80"), "STREAM 8 FAILED 0 a.test:80 REASON=CANT_ATTACH");
        Observe(New("9", "a.test:80"), "STREAM 9 SENTCONNECT 1 a.test:80", "STREAM 9 SUCCEEDED 1 a.test:80");
        for (int i = 0; i < 100; i++)
            Assert.That(Observe(Built($"{i}", "g,m,e", "t")), Is.False);
    }

    [TestCase("STREAM 7 NEW 0 a.test:25 PURPOSE=USER SOCKS_USERNAME=\"u\" SOCKS_PASSWORD=\"t\"", Description = "another program's")]
    [TestCase("STREAM 7 NEW 0 a.test:25 PURPOSE=USER")]
    [TestCase("STREAM 7 NEW 0 abc.onion:25 PURPOSE=USER SOCKS_USERNAME=\"<torS0X>0\" SOCKS_PASSWORD=\"t\"")]
    [TestCase("STREAM 7 NEW 0 a.test:25 PURPOSE=DIR_FETCH SOCKS_USERNAME=\"<torS0X>0\" SOCKS_PASSWORD=\"t\"")]
    public void Streams_of_others_are_never_touched(string line)
    {
        Observe(line);
        for (int i = 0; i < 30; i++)
        {
            Assert.That(
                Observe(Built($"{i}", "g,m,e", "t"), $"STREAM 7 SENTCONNECT {i} a.test:25", $"STREAM 7 DETACHED {i} a.test:25 {Refused}"),
                Is.False);
        }
    }

    private static string New(string id, string target, string token = "t") =>
        $"STREAM {id} NEW 0 {target} SOURCE_ADDR=127.0.0.1:1 PURPOSE=USER SOCKS_USERNAME=\"<torS0X>0\" SOCKS_PASSWORD=\"{token}\"";

    /// <summary>Whether the last one has found something to end.</summary>
    private bool Observe(params string[] lines)
    {
        bool found = false;
        foreach (string line in lines)
            found = _streams.Observe(Parse(line));
        return found;
    }

    /// <summary>What tor is told now.</summary>
    private async Task<string[]> EndedAsync(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        await using var control = await ControlConnection.ConnectAsync(
            fake.EndPoint, ControlCredentials.None, ControlConnectionOptions.Default, new Logger<HopelessStreamsTests>(_log),
            TimeProvider.System, token);
        int before = fake.Commands.Count;
        await _streams.EndAsync(control, token);
        return [.. fake.Commands.Skip(before)];
    }
}
