using System.Diagnostics;
using System.Net.Sockets;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>Relays die, in the middle of a session and while circuits are built.</summary>
[NonParallelizable] // It kills relays that others use.
public sealed class RelayLossTests : ResilienceFixture
{
    private static readonly RelayWatchTiming Timing = new() { MinChangeInterval = TimeSpan.FromSeconds(3) };

    [Test, CancelAfter(240_000)]
    public async Task Exit_that_dies_mid_session_is_replaced_avoided_for_its_time_and_used_again(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(AllWorkers, Configure, Timing);
        await UntilAsync(
            () => proxy.Relays.Facts.Count(static one => one.IsConnected) == AllWorkers.Count, Patience, "all control ports", token);
        await using var tors = await WatchedWorkers.StartAsync(Network, token);
        var open = new List<NetworkStream>();
        try
        {
            // A session with three tunnels on one circuit, and somebody else's circuit through the same exit.
            foreach (string host in (string[])["mid1.test", "mid2.test", "mid3.test"])
                open.Add(await OpenAsync(proxy, "session-mid", host, token));
            var (worker, first) = await tors.OpenedAsync(Target("mid1.test"), token);
            string victim = first.Exit;
            Assert.That((await tors.OpenedAsync(Target("mid3.test"), token)).Stream.Exit, Is.EqualTo(victim));
            string? other = null;
            for (int i = 0; other != victim; i++)
            {
                open.Add(await OpenAsync(proxy, $"session-other{i}-worker-{worker}", $"other{i}.test", token));
                other = (await tors.OpenedAsync(Target($"other{i}.test"), token)).Stream.Exit;
            }

            var node = Network.Exits.Single(exit => exit.Fingerprint == victim);
            await Network.KillAsync(node.Name);
            try
            {
                await UntilAsync(
                    () => proxy.Relays.FactsOf(worker)!.Rebuilds > 0, Patience, "the circuit is rebuilt", token,
                    () => Said(proxy) + Ended(first, tors[worker]));
                await using (var next = await OpenAsync(proxy, "session-mid", "next.test", token))
                    await AssertEchoesAsync(next, token);
                var (_, after) = await tors.OpenedAsync(Target("next.test"), token);
                Assert.That((after.Circuit, after.Exit), Is.Not.EqualTo((first.Circuit, victim)));

                await UntilAsync(
                    () => proxy.Relays.Blacklist.Any(entry => entry.WorkerId == worker && entry.Fingerprint == victim && entry.IsInForce),
                    Patience, "the exit is avoided", token, () => Said(proxy));
                await UntilAsync(() => tors[worker].Excluded[^1] == "$" + victim, Patience, "tor says so", token);
            }
            finally
            {
                await Network.RestartAsync(node.Name, CancellationToken.None);
            }

            // It runs again, and is avoided all the same until its time is over.
            int avoided = 0;
            for (int i = 0; i < 8; i++)
            {
                await using var fresh = await OpenAsync(proxy, $"session-during{i}-worker-{worker}", $"during{i}.test", token);
                var (_, stream) = await tors.OpenedAsync(Target($"during{i}.test"), token);
                if (!stream.Excluded.Contains(victim))
                    continue;
                avoided++;
                Assert.That(stream.Exit, Is.Not.EqualTo(victim));
            }

            Assert.That(avoided, Is.Positive, "nothing was tried while it was excluded");
            await UntilAsync(
                () => proxy.Relays.Blacklist.Count == 0 && tors[worker].Excluded[^1].Length == 0, Patience,
                "nothing is excluded any longer", token, () => Said(proxy));
            string again = "";
            for (int i = 0; again != victim; i++)
            {
                // Whether authorities have dropped it meanwhile is up to them: it comes back with their next vote.
                await using var later = await OpenAsync(proxy, $"session-later{i}-worker-{worker}", $"later{i}.test", token);
                again = (await tors.OpenedAsync(Target($"later{i}.test"), token)).Stream.Exit;
            }
        }
        finally
        {
            foreach (var stream in open)
                await stream.DisposeAsync();
        }
    }

    [Test, CancelAfter(180_000)]
    public async Task Several_relays_down_while_circuits_are_built_fail_no_request(CancellationToken token)
    {
        // Workers of its own: tor remembers for a while which guards it could not reach.
        await using var one = await ClientTor.StartAsync(Network, "ExtendedErrors", token);
        await using var two = await ClientTor.StartAsync(Network, "ExtendedErrors", token);
        await using var proxy = await StartProxyAsync(
            [new WorkerModel("own-1", one.Socks), new WorkerModel("own-2", two.Socks)],
            static options => options.Balancing.Isolation = IsolationMode.Connection);
        string[] victims = [Network.Relays[0].Name, Network.Relays[1].Name, Network.Exits[0].Name];
        foreach (string victim in victims)
            await Network.KillAsync(victim);
        try
        {
            // Each brings a token of its own, so each needs a new circuit.
            long started = Stopwatch.GetTimestamp();
            var atATime = new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = token };
            await Parallel.ForEachAsync(Enumerable.Range(0, 16), atATime, async (i, stop) =>
            {
                await using var stream = await OpenAsync(proxy, "anybody", $"build{i}.test", stop);
                await AssertEchoesAsync(stream, stop);
            });
            TestContext.Progress.WriteLine(
                $"16 new circuits with {victims.Length} of 8 relays down: {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
            Assert.That(HasDied(proxy), Is.False, Told(proxy));
        }
        finally
        {
            foreach (string victim in victims)
                await Network.RestartAsync(victim, CancellationToken.None);
        }
    }

    private static void Configure(TorBalancerOptions options)
    {
        options.Balancing.Mode = SelectionPolicyNames.Sticky;
        options.Blacklist.Duration = TimeSpan.FromSeconds(15);
        options.Blacklist.MinRemainingExits = 2;
    }

    private static string Ended(OpenedStream first, TorEvents events) =>
        $"\nit was {first}; ended since:\n{string.Join('\n', events.Ended.TakeLast(60))}";

    private string Target(string host) => $"{host}:{Network.EchoPort}";

    private static string Said(ProxyUnderTest proxy) => string.Join('\n', proxy.Log.Entries
        .Where(static entry => entry.Category.Contains("Relays", StringComparison.Ordinal)).Select(static entry => entry.Message));
}
