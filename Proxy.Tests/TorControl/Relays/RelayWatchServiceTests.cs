using TorBalancer.Configuration.Options;
using static TorBalancer.Tests.TorControl.Relays.RelayBlacklistTests;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;
using static TorBalancer.Tests.TorControl.Relays.WatchedTor;

namespace TorBalancer.Tests.TorControl.Relays;

/// <summary>The whole of it against a scripted control port, with a clock that moves only when told.</summary>
public sealed class RelayWatchServiceTests
{
    private static string Item(int exit) => "$" + Exit(exit).Fingerprint;

    [Test, CancelAfter(20_000)]
    public async Task Exit_that_fails_is_excluded_for_its_time_and_the_operator_s_value_stays(CancellationToken token)
    {
        await using var tor = new WatchedTor { Excluded = "{de}" };
        await tor.ReadyAsync(token);

        await tor.ListAsync(5, 100, token);
        await tor.AdvanceUntilAsync(() => tor.Excluded == "{de}," + Item(5), token);

        var entry = tor.Service.Blacklist.Single();
        Assert.That((entry.WorkerId, entry.Nickname, entry.Evidence.Circuits), Is.EqualTo(("w", (string?)"e5", 3)));
        Assert.That(entry.Why, Does.Contain("3 failures on 3 circuits to 3 destinations"));
        await UntilAsync(() => tor.Service.Blacklist.Single().IsInForce, token);

        tor.Time.Advance(TimeSpan.FromMinutes(4));
        Assert.That(tor.Service.Blacklist, Has.Count.EqualTo(1));
        await tor.AdvanceUntilAsync(() => tor.Excluded == "{de}", token);
        Assert.That(tor.Service.Blacklist, Is.Empty);
        Assert.That(tor.Time.GetUtcNow(), Is.GreaterThanOrEqualTo(entry.Until));
    }

    [Test, CancelAfter(20_000)]
    public async Task Changes_of_one_minute_go_out_as_one(CancellationToken token)
    {
        await using var tor = new WatchedTor();
        await tor.ReadyAsync(token);
        await tor.ListAsync(5, 100, token);
        await tor.AdvanceUntilAsync(() => tor.Excluded == Item(5), token);
        var first = tor.Time.GetUtcNow();

        await tor.KillAsync(6, 200);
        await UntilAsync(() => tor.Service.Blacklist.Count == 2, token);
        await tor.KillAsync(7, 300);
        await UntilAsync(() => tor.Service.Blacklist.Count == 3, token);
        Assert.That(tor.Excluded, Is.EqualTo(Item(5)));
        await tor.AdvanceUntilAsync(() => tor.Excluded != Item(5), token);

        // A minute, and half of the jitter's ten seconds.
        Assert.That(tor.Excluded, Is.EqualTo($"{Item(5)},{Item(6)},{Item(7)}"));
        Assert.That(tor.Time.GetUtcNow() - first, Is.GreaterThanOrEqualTo(TimeSpan.FromSeconds(64)));
        Assert.That(tor.Fake.Commands.Count(static command => command.StartsWith("SETCONF", StringComparison.Ordinal)), Is.EqualTo(2));
    }

    [Test, CancelAfter(20_000)]
    public async Task Stop_puts_back_what_the_operator_has_now(CancellationToken token)
    {
        var tor = new WatchedTor { Excluded = "{de}" };
        await tor.ReadyAsync(token);
        await tor.ListAsync(5, 100, token);
        await tor.AdvanceUntilAsync(() => tor.Excluded == "{de}," + Item(5), token);

        // He overwrites it: his value is respected, and ours comes back to it.
        tor.Excluded = "{fr}";
        await tor.Fake.PushAsync("650-CONF_CHANGED\r\n650-ExcludeExitNodes={fr}\r\n650 OK\r\n");
        await tor.AdvanceUntilAsync(() => tor.Excluded == "{fr}," + Item(5), token);
        await tor.DisposeAsync();

        Assert.That(tor.Excluded, Is.EqualTo("{fr}"));
    }

    [Test, CancelAfter(20_000)]
    public async Task Success_takes_the_exit_off_the_list(CancellationToken token)
    {
        await using var tor = new WatchedTor();
        await tor.ReadyAsync(token);
        await tor.ListAsync(5, 100, token);
        await tor.AdvanceUntilAsync(() => tor.Excluded == Item(5), token);

        await tor.EventsAsync([$"CIRC 1 BUILT {Path("g,m")},{Item(5)}~e5 PURPOSE=GENERAL", .. Opened("1", "1", "a.test:80")]);
        await UntilAsync(() => tor.Service.Blacklist.Count == 0, token);
        await tor.AdvanceUntilAsync(() => tor.Excluded.Length == 0, token);
    }

    [Test, CancelAfter(20_000)]
    public async Task No_path_empties_the_list_at_once_and_then_blames_nobody(CancellationToken token)
    {
        await using var tor = new WatchedTor();
        await tor.ReadyAsync(token);
        await tor.ListAsync(5, 100, token);
        await tor.AdvanceUntilAsync(() => tor.Excluded == Item(5), token);

        await tor.EventsAsync("CIRC 9 FAILED PURPOSE=GENERAL REASON=NOPATH");
        await UntilAsync(() => tor.Excluded.Length == 0, token);
        await tor.KillAsync(6, 200);
        await tor.EventsAsync([Built("77", "g,m,x"), .. Opened("77", "77", "a.test:80", "x", 1077)]);
        await UntilAsync(() => tor.Service.FindExit("w", "x", 1077, null) is not null, token);

        Assert.That(tor.Service.Blacklist, Is.Empty);
        Assert.That(tor.Service.FactsOf("w")!.Brake, Does.Contain("no path"));
        Assert.That(tor.Service.FactsOf("w")!.NoPath, Is.EqualTo(1));
    }

    [Test, CancelAfter(20_000)]
    public async Task Network_that_is_down_blames_nobody(CancellationToken token)
    {
        await using var tor = new WatchedTor();
        await tor.ReadyAsync(token);
        await tor.EventsAsync("NETWORK_LIVENESS DOWN");
        await tor.KillAsync(5, 100);
        await WaitForLogAsync(tor, "fails and is not avoided", token);

        Assert.That(tor.Service.Blacklist, Is.Empty);
        Assert.That(tor.Service.FactsOf("w")!.IsNetworkLive, Is.False);
    }

    [Test, CancelAfter(20_000)]
    public async Task Relays_off_excludes_nothing_and_still_watches(CancellationToken token)
    {
        await using var tor = new WatchedTor(new BlacklistOptions { Relays = "off", Rebuild = false });
        await tor.ReadyAsync(token);
        await tor.KillAsync(5, 100);
        await tor.EventsAsync([Built("7", "g,m,e"), .. Opened("1", "7", "a.test:80", "x", 1001)]);
        await UntilAsync(() => tor.Service.FindExit("w", "x", 1001, null) is not null, token);

        Assert.That(tor.Service.FindExit("w", "x", 1001, null)!.Exit.Nickname, Is.EqualTo("e"));
        Assert.That(tor.Service.FindExit("bare", "x", 1001, null), Is.Null);
        Assert.That((tor.Service.Blacklist.Count, tor.Service.Rebuilds), Is.EqualTo((0, 0L)));
        Assert.That(tor.Fake.Commands, Has.None.StartsWith("SETCONF").And.None.StartsWith("CLOSECIRCUIT"));
    }

    [Test, CancelAfter(20_000)]
    public async Task Lost_control_port_is_taken_up_again_and_circuits_are_loaded_anew(CancellationToken token)
    {
        await using var tor = new WatchedTor { CircuitStatus = $"3 BUILT {Path("g,m,e")} PURPOSE=GENERAL\r\n" };
        await tor.ReadyAsync(token);
        await tor.EventsAsync([.. Opened("1", "3", "a.test:80", "x", 1001)]);
        await UntilAsync(() => tor.Service.FindExit("w", "x", 1001, null) is { CircuitId: "3", Exit.Nickname: "e" }, token);

        tor.CircuitStatus = $"4 BUILT {Path("g,m,f")} PURPOSE=GENERAL\r\n5 BUILT {Path("g,m,f")} PURPOSE=GENERAL\r\n";
        tor.Fake.CloseConnections();
        await UntilAsync(() => tor.Service.FactsOf("w") is { IsConnected: false, Circuits: 0, Problem: not null }, token);
        await tor.AdvanceUntilAsync(() => tor.Service.FactsOf("w")!.IsConnected, token);

        Assert.That(tor.Service.FactsOf("w")!.Circuits, Is.EqualTo(2));
        Assert.That(tor.Service.FindExit("w", "x", 1001, null), Is.Null, "another process's streams");
        await tor.EventsAsync([.. Opened("1", "4", "a.test:80", "x", 1001)]);
        await UntilAsync(() => tor.Service.FindExit("w", "x", 1001, null) is { CircuitId: "4", Exit.Nickname: "f" }, token);
        Assert.That(tor.Service.FactsOf("w")!.Bootstrap.IsDone);
    }

    [Test, CancelAfter(20_000)]
    public async Task Facts_count_what_tor_reports_of_the_last_minute(CancellationToken token)
    {
        await using var tor = new WatchedTor();
        await tor.ReadyAsync(token);
        await tor.EventsAsync(
            Built("1", "g,m,e"), "CIRC 2 FAILED PURPOSE=GENERAL REASON=NOPATH", $"CIRC 3 FAILED {Path("g")} PURPOSE=GENERAL REASON=TIMEOUT",
            $"ORCONN {Path("g")} FAILED REASON=CONNECTREFUSED", "BUILDTIMEOUT_SET COMPUTED TIMEOUT_MS=1500", "NETWORK_LIVENESS DOWN");
        await UntilAsync(() => !tor.Service.FactsOf("w")!.IsNetworkLive, token);

        var facts = tor.Service.FactsOf("w")!;
        Assert.That(
            (facts.CircuitsBuilt, facts.NoPath, facts.CircuitTimeouts, facts.LinkFailures, facts.TorVersion),
            Is.EqualTo((1, 1, 1, 1, "0.4.9.11")));
        Assert.That(facts.BuildTimeout, Is.EqualTo(TimeSpan.FromSeconds(1.5)));
        tor.Time.Advance(TimeSpan.FromSeconds(61));
        Assert.That((tor.Service.FactsOf("w")!.CircuitsBuilt, tor.Service.FactsOf("w")!.NoPath), Is.EqualTo((0, 0)));
    }

    [Test, CancelAfter(20_000)]
    public async Task Guards_that_are_down_are_facts(CancellationToken token)
    {
        await using var tor = new WatchedTor();
        await tor.ReadyAsync(token);
        await tor.EventsAsync(
            $"GUARD ENTRY {Path("g")} DOWN", $"GUARD ENTRY {Path("h")} NEW", $"GUARD ENTRY {Path("h")} DOWN", $"GUARD ENTRY {Path("h")} UP",
            "NETWORK_LIVENESS DOWN");
        await UntilAsync(() => !tor.Service.FactsOf("w")!.IsNetworkLive, token);

        Assert.That(tor.Service.FactsOf("w")!.GuardsDown.Select(static guard => guard.Nickname), Is.EqualTo(new[] { "g" }));
    }

    private static Task WaitForLogAsync(WatchedTor tor, string text, CancellationToken token) =>
        UntilAsync(() => tor.Log.Entries.Any(entry => entry.Message.Contains(text, StringComparison.Ordinal)), token);
}
