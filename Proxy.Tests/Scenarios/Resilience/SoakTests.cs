using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>
/// Every kind of client at once while workers and relays are paused and killed: whatever fails must have been hit by one of
/// these. TORBALANCER_SOAK_MINUTES makes it as long as one likes; about a minute otherwise.
/// </summary>
[NonParallelizable] // It kills and pauses what others use.
public sealed class SoakTests : ResilienceFixture
{
    private const string Variable = "TORBALANCER_SOAK_MINUTES";

    private static readonly TimeSpan Length =
        double.TryParse(Environment.GetEnvironmentVariable(Variable), CultureInfo.InvariantCulture, out double minutes)
            ? TimeSpan.FromMinutes(minutes)
            : TimeSpan.Zero;

    [Test, CancelAfter(4 * 3600 * 1000)]
    public async Task Every_failure_is_explained_by_a_fault(CancellationToken token)
    {
        await OnionAsync(token);
        await using var proxy = await StartProxyAsync(AllWorkers, Configure);
        var faults = new FaultPlan(Network);
        var load = new MixedLoad(Network, proxy.Address, () => faults.Now);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var running = load.RunAsync(stop.Token);
        try
        {
            await faults.RunAsync(Length, token);
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }

        var workerOf = Workers(proxy);
        var unexplained = new List<string>();
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var one in load.Done)
        {
            var (worker, cause) = workerOf.GetValueOrDefault(one.Host, (null, "-"));
            var explaining = one.Error is null ? [] : faults.Explaining(worker, one.Host == Network.OnionAddress, one.From, one.Until);
            string why = one.Error is null
                ? "ok"
                : $"{cause} ({one.Error}) <- "
                    + $"{(explaining.Count == 0 ? "nothing" : string.Join(" or ", explaining.Select(Kind).Distinct()))}";
            counts[$"{one.Kind}: {why}"] = counts.GetValueOrDefault($"{one.Kind}: {why}") + 1;
            if (one.Error is not null && (explaining.Count == 0 || one.Error.Contains("other bytes", StringComparison.Ordinal)))
                unexplained.Add(
                    $"{one.Kind} {one.Host} by {worker ?? "nobody"}, {one.From.TotalSeconds:0.0} to {one.Until.TotalSeconds:0.0} s: "
                        + $"{cause}, {one.Error}");
        }

        foreach (var (what, count) in counts)
            TestContext.Progress.WriteLine($"{count,6} {what}");
        Assert.That(unexplained, Is.Empty, $"{string.Join('\n', faults.Faults)}\n{Told(proxy)}");
        Assert.That(
            load.Done.Where(static one => one.Error is null).Select(static one => one.Kind).Distinct().Count(), Is.EqualTo(6),
            "each kind works");
    }

    /// <summary>
    /// Until each worker's own tor reaches the onion service: what tests before have done to relays is no fault of this plan, and may
    /// have cost the service its introduction points.
    /// </summary>
    private async Task OnionAsync(CancellationToken token)
    {
        foreach (var worker in Network.Workers)
        {
            long began = Stopwatch.GetTimestamp();
            for (int attempt = 0; ; attempt++)
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, worker.SocksPort), token);
                await using var stream = new NetworkStream(socket, ownsSocket: false);
                byte[] reply = await SocksClient.RequestAsync(stream, Network.OnionAddress, 80, token, $"soak-{attempt}", "x");
                if (reply[1] == 0)
                    break;
                Assert.That(
                    Stopwatch.GetElapsedTime(began), Is.LessThan(FaultPlan.OnionSettle + Patience),
                    $"{worker.Name} does not reach the onion service: {reply[1]:X2}");
                await Task.Delay(TimeSpan.FromSeconds(1), token);
            }
        }
    }

    private static string Kind(Fault fault) => $"{(fault.IsWorker ? "a worker" : "a relay")} {(fault.IsKill ? "killed" : "paused")}";

    /// <summary>Who carried each host's last attempt, and what the log says became of it. The onion service is one host for many.</summary>
    private Dictionary<string, (string? Worker, string Cause)> Workers(ProxyUnderTest proxy)
    {
        var found = new Dictionary<string, (string? Worker, string Cause)>();
        foreach (var entry in proxy.Log.OfEvent("access").Concat(proxy.Log.OfEvent("access_request")))
        {
            string host = AccessEntry.Field(entry, "target").Split(':')[0], worker = AccessEntry.Worker(entry);
            string cause = AccessEntry.Field(entry, "cause"), end = AccessEntry.Field(entry, "end");
            if (host != Network.OnionAddress)
                found[host] = (worker == "-" ? null : worker, end is "" or "-" ? cause : end);
        }

        return found;
    }

    private static void Configure(TorBalancerOptions options)
    {
        options.Health.CheckInterval = TimeSpan.FromSeconds(1);
        options.Health.StepTimeout = TimeSpan.FromSeconds(2);
        options.Health.ProbeTimeout = TimeSpan.FromSeconds(15);
        options.Health.SuspectWindow = TimeSpan.FromSeconds(8);
        options.Health.RecoveryBackoff = [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2)];
        options.Connect.WorkerTimeout = TimeSpan.FromSeconds(2);
        options.Connect.AttemptTimeout = TimeSpan.FromSeconds(20);
    }
}
