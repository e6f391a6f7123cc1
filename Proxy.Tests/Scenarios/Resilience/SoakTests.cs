using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>
/// Every kind of client at once in front of the real daemon, while workers and relays are paused and killed, workers are drained and the
/// configuration is reloaded: whatever fails must have been hit by one of the faults, no payload is wrong, and afterwards the daemon has
/// what it had before. Some five minutes; TORBALANCER_SOAK_MINUTES makes it as long as one likes (eng/soak.sh), TORBALANCER_SOAK_REPORT
/// is the file for its report.
/// </summary>
[NonParallelizable] // It kills and pauses what others use.
[Category("Soak")]
public sealed class SoakTests : ResilienceFixture
{
    private const string Variable = "TORBALANCER_SOAK_MINUTES";

    /// <summary>What may be left: a descriptor and a thread of the runtime's own, and memory that code compiled meanwhile takes.</summary>
    private const int MoreDescriptors = 8, MoreThreads = 4, MoreKiB = 24 * 1024;

    /// <summary>Idle ones that the loops keep, two descriptors each, and those of the runtime and of the test.</summary>
    private static readonly int MostPipes = (Environment.ProcessorCount * 2 * 32) + 16;

    private static readonly TimeSpan Length = TimeSpan.FromMinutes(
        double.TryParse(Environment.GetEnvironmentVariable(Variable), CultureInfo.InvariantCulture, out double minutes) ? minutes : 3);

    /// <summary>How soon the daemon has given everything back.</summary>
    private static readonly TimeSpan BackAtBase = TimeSpan.FromMinutes(1);

    [Test, CancelAfter(4 * 3600 * 1000)]
    public async Task Every_failure_is_explained_by_a_fault_and_nothing_is_left(CancellationToken token)
    {
        await OnionAsync(token);
        await using var daemon = await SoakDaemon.StartAsync(Network, token);
        var faults = new FaultPlan(Network, daemon);

        // Gentle in the suite, which shares its processors with others.
        var pace = TimeSpan.FromMilliseconds(Length > TimeSpan.FromMinutes(5) ? 100 : 250);

        // The base line is taken behind a first round: all code is loaded and all pools are filled by then.
        var warm = new MixedLoad(Network, daemon.Address, () => faults.Now) { Pace = pace, Prefix = "warm" };
        await RunAsync(warm, stop => faults.RunAsync(faults.Now, static () => { }, stop), token);
        var figures = new List<ProcessFigures> { await SettledAsync(daemon, faults, null, token) };

        var load = new MixedLoad(Network, daemon.Address, () => faults.Now) { Pace = pace };
        await RunAsync(load, stop => faults.RunAsync(faults.Now + Length, () => figures.Add(daemon.Measure(faults.Now)), stop), token);
        figures.Add(await SettledAsync(daemon, faults, figures[0], token));

        var (unexplained, causes) = Explain([.. warm.Done, .. load.Done], faults, daemon);
        string report = SoakReport.Render(load, faults, causes, figures);
        TestContext.Progress.WriteLine(report);
        if (Environment.GetEnvironmentVariable("TORBALANCER_SOAK_REPORT") is { Length: > 0 } file)
            await File.WriteAllTextAsync(file, report, token);
        Assert.Multiple(() =>
        {
            Assert.That(
                unexplained, Is.Empty,
                $"{string.Join('\n', faults.Faults)}\n"
                    + string.Join('\n', daemon.Lines.Where(static line => line.Contains(" Worker worker-", StringComparison.Ordinal))));
            Assert.That(
                load.Done.Where(static one => one.Error is null).Select(static one => one.Kind).Distinct(),
                Is.EquivalentTo(MixedLoad.Kinds), "each kind works");
            Assert.That(figures[^1].Clients, Is.Zero, "clients that have left");
            Assert.That(figures[^1].Descriptors, Is.LessThanOrEqualTo(figures[0].Descriptors + MoreDescriptors), "descriptors");
            Assert.That(figures[^1].Pipes, Is.LessThanOrEqualTo(MostPipes), "pipes");
            Assert.That(figures[^1].Threads, Is.LessThanOrEqualTo(figures[0].Threads + MoreThreads), "threads");
            Assert.That(figures[^1].ResidentKiB, Is.LessThanOrEqualTo(figures[0].ResidentKiB + MoreKiB), "resident memory");
            Assert.That(
                daemon.Lines.Where(
                    static line => line.Contains(" ERROR ", StringComparison.Ordinal)
                        && !line.Contains("requires manual intervention", StringComparison.Ordinal)), Is.Empty, "faults of our own");
        });
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    private static async Task RunAsync(MixedLoad load, Func<CancellationToken, Task> meanwhile, CancellationToken token)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var running = load.RunAsync(stop.Token);
        try
        {
            await meanwhile(token);
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }

    /// <summary>The figures once clients have gone and the daemon has given back what it held for them, or when its time is over.</summary>
    /// <param name="wanted">The base line; null: what there is after a quiet time is.</param>
    private static async Task<ProcessFigures> SettledAsync(
        SoakDaemon daemon, FaultPlan faults, ProcessFigures? wanted, CancellationToken token)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            await Task.Delay(TimeSpan.FromSeconds(10), token);
            var now = daemon.Measure(faults.Now);
            if (now.Clients == 0
                && (wanted is null || (now.Descriptors <= wanted.Descriptors + MoreDescriptors
                    && now.Threads <= wanted.Threads + MoreThreads && now.ResidentKiB <= wanted.ResidentKiB + MoreKiB)))
                return now;
            if (Stopwatch.GetElapsedTime(began) > BackAtBase)
                return now;
        }
    }

    /// <summary>What no fault explains, and how often each fault explains what.</summary>
    private (List<string> Unexplained, SortedDictionary<string, int> Causes) Explain(
        IEnumerable<MixedOperation> done, FaultPlan faults, SoakDaemon daemon)
    {
        var workerOf = Workers(daemon);
        var unexplained = new List<string>();
        var causes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var one in done)
        {
            if (one.Error is null)
                continue;
            var (worker, cause) = workerOf.GetValueOrDefault(one.Host, (null, "-"));
            var explaining = faults.Explaining(worker, one.Host == Network.OnionAddress, one.From, one.Until);
            string why = $"{one.Kind}: {cause}, by "
                + (explaining.Count == 0 ? "nothing" : string.Join(" or ", explaining.Select(Kind).Distinct()));
            causes[why] = causes.GetValueOrDefault(why) + 1;
            if (explaining.Count == 0 || one.Error.Contains("other bytes", StringComparison.Ordinal))
                unexplained.Add(
                    $"{one.Kind} {one.Host} by {worker ?? "nobody"}, {one.From.TotalSeconds:0.0} to {one.Until.TotalSeconds:0.0} s: "
                        + $"{cause}, {one.Error}");
        }

        return (unexplained, causes);
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
    private Dictionary<string, (string? Worker, string Cause)> Workers(SoakDaemon daemon)
    {
        var found = new Dictionary<string, (string? Worker, string Cause)>();
        foreach (string line in daemon.Lines)
        {
            if (!line.Contains(" target=", StringComparison.Ordinal))
                continue;
            string host = AccessEntry.Field(line, "target").Split(':')[0], worker = AccessEntry.Field(line, "worker");
            string cause = AccessEntry.Field(line, "cause"), end = AccessEntry.Field(line, "end");
            if (host != Network.OnionAddress)
                found[host] = (worker == "-" ? null : worker, end is "" or "-" ? cause : end);
        }

        return found;
    }
}
