using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;
using static TorBalancer.Tests.TorControl.Relays.WatchedTor;

namespace TorBalancer.Tests.TorControl.Relays;

/// <summary>Replacing a broken circuit, against a scripted control port.</summary>
public sealed class CircuitReplacementTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef";

    [Test, CancelAfter(20_000)]
    public async Task Broken_circuit_is_given_up_once_another_is_built(CancellationToken token)
    {
        await using var tor = new WatchedTor { NewCircuit = "250 EXTENDED 50\r\n" };
        await tor.ReadyAsync(token);
        await BreakAsync(tor, "7");
        Assert.That(await tor.CommandAsync("EXTENDCIRCUIT", token), Is.EqualTo("EXTENDCIRCUIT 0"));

        await tor.EventsAsync("CIRC 50 LAUNCHED PURPOSE=GENERAL", $"CIRC 50 EXTENDED {Path("g")} PURPOSE=GENERAL", "NETWORK_LIVENESS DOWN");
        await UntilAsync(() => !tor.Service.FactsOf("w")!.IsNetworkLive, token);
        Assert.That(tor.Service.PasswordFor("w", Secret), Is.EqualTo(Secret), "not before there is another circuit");
        Assert.That(tor.Fake.Commands, Has.None.StartsWith("CLOSECIRCUIT"));

        await tor.EventsAsync(Built("50", "g,m,f"));
        Assert.That(await tor.CommandAsync("CLOSECIRCUIT", token), Is.EqualTo("CLOSECIRCUIT 7 IfUnused"));
        string next = tor.Service.PasswordFor("w", Secret);
        Assert.That(next, Is.Not.EqualTo(Secret));
        Assert.That((tor.Service.EpochOf("w", Secret), tor.Service.Rebuilds), Is.EqualTo((1L, 1L)));
        await tor.EventsAsync([Built("8", "g,m,f", next), .. Opened("9", "8", "a.test:80", next)]);
        await UntilAsync(() => tor.Service.FindExit("w", Secret, 1000, "a.test:80")?.CircuitId == "8", token);
        Assert.That(tor.Fake.Commands, Has.None.StartsWith("SIGNAL"));
    }

    [TestCase("551 Couldn't start circuit\r\n", null)]
    [TestCase("250 EXTENDED 50\r\n", "CIRC 50 FAILED PURPOSE=GENERAL REASON=TIMEOUT")]
    [CancelAfter(20_000)]
    public async Task Rebuild_that_fails_keeps_the_old_circuit(string answer, string? end, CancellationToken token)
    {
        await using var tor = new WatchedTor { NewCircuit = answer };
        await tor.ReadyAsync(token);
        await BreakAsync(tor, "7");
        await tor.CommandAsync("EXTENDCIRCUIT", token);
        for (int attempt = 2; end is not null && attempt <= 4; attempt++)
        {
            await tor.EventsAsync(end);
            if (attempt < 4)
                await tor.CommandAsync("EXTENDCIRCUIT", token);
        }

        await tor.Log.WaitForAsync("RebuildGivenUp", 1, token);

        Assert.That((tor.Service.PasswordFor("w", Secret), tor.Service.Rebuilds), Is.EqualTo((Secret, 0L)));
        Assert.That(tor.Fake.Commands, Has.None.StartsWith("CLOSECIRCUIT"));

        // As many failures again, and it is tried again.
        tor.NewCircuit = "250 EXTENDED 51\r\n";
        await BreakAsync(tor, "7");
        await tor.CommandAsync("EXTENDCIRCUIT", token);
        await tor.EventsAsync(Built("51", "g,m,f"));
        await UntilAsync(() => tor.Service.EpochOf("w", Secret) == 1, token);
    }

    [Test, CancelAfter(20_000)]
    public async Task Rebuild_that_fails_at_first_is_tried_again(CancellationToken token)
    {
        await using var tor = new WatchedTor { NewCircuit = "250 EXTENDED 50\r\n" };
        await tor.ReadyAsync(token);
        await BreakAsync(tor, "7");
        await tor.CommandAsync("EXTENDCIRCUIT", token);
        tor.NewCircuit = "250 EXTENDED 51\r\n";
        await tor.EventsAsync("CIRC 50 FAILED PURPOSE=GENERAL REASON=DESTROYED");
        await tor.CommandAsync("EXTENDCIRCUIT", token);
        await tor.EventsAsync(Built("51", "g,m,f"));
        await UntilAsync(() => tor.Service.EpochOf("w", Secret) == 1, token);
        Assert.That(tor.Log.OfEvent("RebuildGivenUp"), Is.Empty);
    }

    [Test, CancelAfter(20_000)]
    public async Task Rebuild_that_takes_too_long_keeps_the_old_circuit(CancellationToken token)
    {
        await using var tor = new WatchedTor { NewCircuit = "250 EXTENDED 50\r\n" };
        await tor.ReadyAsync(token);
        await BreakAsync(tor, "7");
        await tor.CommandAsync("EXTENDCIRCUIT", token);
        await tor.AdvanceUntilAsync(() => tor.Log.OfEvent("RebuildGivenUp").Any(), token);

        await tor.EventsAsync([Built("50", "g,m,f"), "NETWORK_LIVENESS DOWN"]);
        await UntilAsync(() => !tor.Service.FactsOf("w")!.IsNetworkLive, token);
        Assert.That((tor.Service.PasswordFor("w", Secret), tor.Service.Rebuilds), Is.EqualTo((Secret, 0L)), "it came too late");
    }

    [Test, CancelAfter(20_000)]
    public async Task Circuit_that_was_built_before_tor_answered_counts(CancellationToken token)
    {
        await using var tor = new WatchedTor { NewCircuit = $"650 {Built("50", "g,m,f")}\r\n250 EXTENDED 50\r\n" };
        await tor.ReadyAsync(token);
        await BreakAsync(tor, "7");
        await UntilAsync(() => tor.Service.EpochOf("w", Secret) == 1, token);
    }

    [Test, CancelAfter(20_000)]
    public async Task Rebuild_no_replaces_nothing(CancellationToken token)
    {
        await using var tor = new WatchedTor(new BlacklistOptions { Rebuild = false });
        await tor.ReadyAsync(token);
        await BreakAsync(tor, "7");
        await tor.EventsAsync("NETWORK_LIVENESS DOWN");
        await UntilAsync(() => !tor.Service.FactsOf("w")!.IsNetworkLive, token);
        Assert.That(tor.Fake.Commands, Has.None.StartsWith("EXTENDCIRCUIT").And.None.StartsWith("CLOSECIRCUIT"));
    }

    private static Task BreakAsync(WatchedTor tor, string circuit) => tor.EventsAsync([
        Built(circuit, "g,m,e", Secret),
        .. Enumerable.Range(1, 3).SelectMany(i => Failed($"{i}", circuit, "a.test:80", "REASON=END REMOTE_REASON=HIBERNATING", Secret))]);
}
