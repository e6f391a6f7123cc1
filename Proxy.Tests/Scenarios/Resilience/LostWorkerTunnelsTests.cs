using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>Open tunnels of a worker that takes nothing new, and of one that is killed.</summary>
[NonParallelizable] // It pauses and kills workers that others use.
public sealed class LostWorkerTunnelsTests : ResilienceFixture
{
    private const string Victim = "worker-03";
    private const int Tunnels = 8;

    [Test, CancelAfter(120_000)]
    public async Task Worker_that_is_paused_for_ten_seconds_loses_no_tunnel(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(AllWorkers, Configure);
        var tunnels = await OpenAllAsync(proxy, token);
        Network.Pause(Victim);
        long paused = Stopwatch.GetTimestamp();
        try
        {
            await UntilAsync(
                () => HasDied(proxy, Victim) && Stopwatch.GetElapsedTime(paused) > TimeSpan.FromSeconds(10), Patience, $"{Victim} dead",
                token, () => Told(proxy));
        }
        finally
        {
            Network.Resume(Victim);
        }

        await AssertAllEchoAsync(proxy, tunnels, token);
        await HealthyAsync(proxy, Victim, Patience, token);
        await CloseAsync(tunnels);
    }

    /// <summary>The kernel still takes connections for it, and no greeting is answered; what it has goes on.</summary>
    [Test, CancelAfter(120_000)]
    public async Task Worker_out_of_descriptors_loses_no_tunnel(CancellationToken token)
    {
        ClientProcess.Require("prlimit");
        await using var proxy = await StartProxyAsync(AllWorkers, Configure);
        var tunnels = await OpenAllAsync(proxy, token);
        string process = Network.Node(Victim).ProcessId.ToString(CultureInfo.InvariantCulture);
        string before = (await LimitAsync(process, "--output=SOFT", token)).Trim();
        await LimitAsync(process, "--nofile=4:", token);
        try
        {
            await UntilAsync(() => HasDied(proxy, Victim), Patience, $"{Victim} dead", token, () => Told(proxy));
            await AssertAllEchoAsync(proxy, tunnels, token);
        }
        finally
        {
            await LimitAsync(process, $"--nofile={before}:", CancellationToken.None);
        }

        await HealthyAsync(proxy, Victim, Patience, token);
        await AssertAllEchoAsync(proxy, tunnels, token);
        await CloseAsync(tunnels);
    }

    [Test, CancelAfter(120_000)]
    public async Task Worker_that_is_killed_loses_its_tunnels_within_a_second(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(AllWorkers, Configure);
        var tunnels = await OpenAllAsync(proxy, token);
        long killed = Stopwatch.GetTimestamp();
        await Network.KillAsync(Victim);
        try
        {
            await Task.WhenAll(tunnels.Select(tunnel => EndAsync(tunnel, token)));
            Assert.That(Stopwatch.GetElapsedTime(killed), Is.LessThan(TimeSpan.FromSeconds(1)));
        }
        finally
        {
            await Network.RestartAsync(Victim, CancellationToken.None);
        }

        await HealthyAsync(proxy, Victim, Patience, token);
        await CloseAsync(tunnels);
    }

    private static void Configure(TorBalancerOptions options)
    {
        options.Health.CheckInterval = TimeSpan.FromSeconds(1);
        options.Health.StepTimeout = TimeSpan.FromSeconds(1);
        options.Health.ProbeTimeout = TimeSpan.FromSeconds(15);
        options.Health.SuspectWindow = TimeSpan.FromSeconds(6);
        options.Health.RecoveryBackoff = [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)];
        options.Connect.WorkerTimeout = TimeSpan.FromSeconds(1);
    }

    private async Task<NetworkStream[]> OpenAllAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        var tunnels = await Task.WhenAll(
            Enumerable.Range(0, Tunnels).Select(i => OpenAsync(proxy, $"worker-{Victim}", $"tunnel{i}.test", token)));
        await AssertAllEchoAsync(proxy, tunnels, token);
        return tunnels;
    }

    private static async Task AssertAllEchoAsync(ProxyUnderTest proxy, NetworkStream[] tunnels, CancellationToken token)
    {
        foreach (var tunnel in tunnels)
            await AssertEchoesAsync(tunnel, token);
        Assert.That(
            proxy.Log.OfEvent("access").Select(static entry => AccessEntry.Field(entry, "end")), Does.Not.Contain("worker_gone"),
            Told(proxy));
    }

    private static async Task EndAsync(NetworkStream tunnel, CancellationToken token)
    {
        try
        {
            Assert.That(await tunnel.ReadAsync(new byte[1], token), Is.Zero);
        }
        catch (IOException)
        {
            // Reset, which says the same.
        }
    }

    private static async Task<string> LimitAsync(string process, string argument, CancellationToken token)
    {
        string[] what = argument.StartsWith("--output", StringComparison.Ordinal) ? ["--nofile", "--noheadings", argument] : [argument];
        var result = await ClientProcess.RunAsync("prlimit", ["--pid", process, .. what], token);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return result.Output;
    }

    private static async Task CloseAsync(NetworkStream[] tunnels)
    {
        foreach (var tunnel in tunnels)
            await tunnel.DisposeAsync();
    }
}
