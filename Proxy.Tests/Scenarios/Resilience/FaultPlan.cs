using System.Diagnostics;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>What was done to one node, and when, on the plan's clock.</summary>
/// <param name="Node">Its name.</param>
/// <param name="IsWorker">False: a relay or an exit.</param>
/// <param name="IsKill">False: it was paused, and goes on where it was.</param>
internal sealed record Fault(string Node, bool IsWorker, bool IsKill, TimeSpan From, TimeSpan Until)
{
    public override string ToString() =>
        $"{Node} {(IsKill ? "killed" : "paused")} from {From.TotalSeconds:0.0} to {Until.TotalSeconds:0.0} s";
}

/// <summary>
/// Kills and pauses workers and relays one after the other, and puts each back before the next. In between the daemon in front of them is
/// told to drain workers and to take other configurations, which is no fault and explains no failure.
/// </summary>
internal sealed class FaultPlan(TestNetwork network, SoakDaemon daemon)
{
    /// <summary>Circuits are built anew and relays are connected to again after a relay has come back.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The same for onion services: a relay that restarts forgets whose introduction point it is, and tor passes over one that has
    /// refused for two minutes (HS_CACHE_CLIENT_INTRO_STATE_MAX_AGE), while all that the service has may be among them.
    /// </summary>
    public static readonly TimeSpan OnionSettle = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(6);

    private readonly long _begun = Stopwatch.GetTimestamp();
    private readonly Lock _lock = new();
    private readonly List<Fault> _faults = [];

    /// <summary>Workers that were drained and enabled again.</summary>
    public int Drains { get; private set; }

    /// <summary>Other configurations that were put into force.</summary>
    public int Reloads { get; private set; }

    public TimeSpan Now => Stopwatch.GetElapsedTime(_begun);

    public IReadOnlyList<Fault> Faults
    {
        get
        {
            lock (_lock)
                return [.. _faults];
        }
    }

    /// <summary>Rounds of four faults, a drain and four reloads until the time is over; the last round is finished.</summary>
    /// <param name="until">On the plan's clock.</param>
    /// <param name="roundEnded">Called behind each round.</param>
    public async Task RunAsync(TimeSpan until, Action roundEnded, CancellationToken token)
    {
        for (int round = 0; round == 0 || Now < until; round++)
        {
            await PauseAsync(Pick(network.Workers, round), isWorker: true, TimeSpan.FromSeconds(10), token);
            await ReloadAsync(token);
            await KillAsync(Pick(network.Workers, round + 1), isWorker: true, token);
            await ReloadAsync(token);
            await DrainAsync(Pick(network.Workers, round + 2), token);
            await PauseAsync(Pick(network.Relays, round), isWorker: false, TimeSpan.FromSeconds(4), token);
            await ReloadAsync(token);
            await KillAsync(Pick(network.Exits, round), isWorker: false, token);
            await ReloadAsync(token);
            roundEnded();
        }
    }

    /// <summary>
    /// The faults that explain a failure: the death of the worker that carried it, or whatever happened to a relay that may
    /// have. A worker that was only paused explains none: what it carries goes on, and what is new goes to others.
    /// </summary>
    /// <param name="worker">Who carried it; null: nobody knows.</param>
    /// <param name="isOnion">True: its target was an onion service.</param>
    public IReadOnlyList<Fault> Explaining(string? worker, bool isOnion, TimeSpan from, TimeSpan until) =>
        [
            .. Faults.Where(
                one =>
                    one.From <= until
                        && from <= one.Until + (isOnion && !one.IsWorker ? OnionSettle : Settle)
                        && (!one.IsWorker || (one.IsKill && (worker is null || one.Node == worker)))),
        ];

    private static TestNode Pick(IReadOnlyList<TestNode> nodes, int number) => nodes[number % nodes.Count];

    private async Task PauseAsync(TestNode node, bool isWorker, TimeSpan time, CancellationToken token)
    {
        await Task.Delay(Calm, token);
        int index = Begin(node, isWorker, isKill: false);
        network.Pause(node.Name);
        try
        {
            await Task.Delay(time, token);
        }
        finally
        {
            network.Resume(node.Name);
            End(index);
        }
    }

    private async Task DrainAsync(TestNode node, CancellationToken token)
    {
        await Task.Delay(Calm, token);
        await daemon.CommandAsync($"/workers/{node.Name}/drain", token);
        await Task.Delay(DrainTime, token);
        await daemon.CommandAsync($"/workers/{node.Name}/enable", token);
        Drains++;
    }

    private async Task ReloadAsync(CancellationToken token) => await daemon.ReloadAsync(++Reloads, token);

    private async Task KillAsync(TestNode node, bool isWorker, CancellationToken token)
    {
        await Task.Delay(Calm, token);
        int index = Begin(node, isWorker, isKill: true);
        await network.KillAsync(node.Name);
        try
        {
            await Task.Delay(Calm, token);
        }
        finally
        {
            await network.RestartAsync(node.Name, CancellationToken.None);
            End(index);
        }
    }

    private int Begin(TestNode node, bool isWorker, bool isKill)
    {
        lock (_lock)
        {
            _faults.Add(new Fault(node.Name, isWorker, isKill, Now, TimeSpan.MaxValue - OnionSettle));
            return _faults.Count - 1;
        }
    }

    private void End(int index)
    {
        lock (_lock)
            _faults[index] = _faults[index] with { Until = Now };
    }
}
