using System.Collections.Concurrent;
using System.Diagnostics;
using TorBalancer.Health.Alerts;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>A thousand requests that no target answers, from a client that has no idea: never a worker's fault.</summary>
public sealed class TargetFaultTests : ResilienceFixture
{
    private const int ClosedPorts = 900;
    private const int DeadOnions = 100;
    private const int AtATime = 40;

    // Right in every respect (checksum and key), and published by nobody.
    private static readonly string[] Onions =
    [
        "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion", "y5ayj6qyiuiy5ja4m6vdcojo6ykhkdns5hxo5atq2fxktz5ty32g43qd.onion",
        "ozqvlq5xd5iovs3bnyayj3qhkptbr4qecvf5et72rugcndk7oyosypqd.onion", "k55duhrkox6g7b3v6ypo4sr7k62iti3t5ednik7eyg6vp7rciznjsoyd.onion",
        "rjihmwnwyrnkrbgok7nlcjtln3bnyrcokfvyujzjoizxvfvlbnyvpeyd.onion",
    ];

    [Test, CancelAfter(240_000)]
    public async Task Thousand_requests_to_dead_onions_and_closed_ports_leave_all_workers_healthy(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(AllWorkers);
        var codes = new ConcurrentDictionary<string, int>();
        long started = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(
            Enumerable.Range(
                0,
                ClosedPorts + DeadOnions), new ParallelOptions { MaxDegreeOfParallelism = AtATime, CancellationToken = token }, async (i,
                stop) =>
            {
                // Every tenth an onion service; of the others every third by address, which exits refuse in another way.
                int kind = i % 10;
                var (host, port) = kind == 0 ? (Onions[i / 10 % Onions.Length], 80)
                    : kind % 3 == 0 ? ("127.0.0.1", Network.ClosedPort) : ("closed.test", Network.ClosedPort);
                await using var stream = await proxy.ConnectAsync();
                byte[] reply = await SocksClient.RequestAsync(stream, host, port, stop);
                codes.AddOrUpdate($"{(kind == 0 ? "onion" : host)} {reply[1]:X2}", 1, static (_, count) => count + 1);
            });
        TestContext.Progress.WriteLine(
            $"{ClosedPorts} closed ports and {DeadOnions} dead onions, {AtATime} at a time, "
                + $"{Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s: "
            + string.Join(
                ", ", codes.OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => $"{pair.Value} x {pair.Key}")));

        Assert.That(codes.Keys, Has.None.EndsWith(" 00"));
        Assert.That(HasDied(proxy), Is.False, Told(proxy));

        // An exit that another test has just restarted may fail a probe for itself; what clients asked for never counts.
        var suspected = proxy.HealthEvents.All.Where(static one => one.Kind == HealthEventKind.StateChanged && one.To == "suspect");
        Assert.That(suspected.Select(static one => one.Reason), Has.All.StartsWith("first_failure: circuit: "), Told(proxy));
        foreach (var worker in proxy.Pool.Snapshot.All)
            await HealthyAsync(proxy, worker.Id, Patience, token);
        await using var good = await OpenAsync(proxy, "anybody", "good.test", token);
        await AssertEchoesAsync(good, token);
    }
}
