using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using TorBalancer.Configuration.Options;
using TorBalancer.Transport;

namespace TorBalancer.Health;

/// <summary>Says whether our own way to the network is there.</summary>
internal interface IUplinkCheck
{
    Task<bool> IsUpAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Connects to addresses of the operator's choice, all at once; one that answers is enough. A refusal is an answer: its
/// host is there.
/// </summary>
internal sealed class TcpUplinkCheck(
    ITransport transport, Live<HealthOptions> options, TimeProvider time) : IUplinkCheck
{
    public async Task<bool> IsUpAsync(CancellationToken cancellationToken)
    {
        var (targets, limit) = (options.Value.Connectivity, options.Value.StepTimeout);
        using var timer = new CancellationTokenSource(limit, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        var running = targets.Select(target => ReachesAsync(target, both.Token)).ToList();
        bool isUp = false;
        while (running.Count > 0)
        {
            var done = await Task.WhenAny(running);
            running.Remove(done);
            if (!await done || isUp)
                continue;
            isUp = true;
            await both.CancelAsync();
        }

        cancellationToken.ThrowIfCancellationRequested();
        return isUp;
    }

    private async Task<bool> ReachesAsync(IPEndPoint target, CancellationToken cancellationToken)
    {
        try
        {
            var result = await transport.ConnectAsync(new TransportConnectRequest(target), cancellationToken);
            if (result.Connection is null)
                return result.Error == SocketError.ConnectionRefused;
            await result.Connection.DisposeAsync();
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}

/// <summary>Checks the uplink when it is asked to, one check at a time, and again and again while it is away.</summary>
/// <param name="freshness">How long a good result stands for the next question, and the pause between checks while it is away.</param>
internal sealed class UplinkWatch(IUplinkCheck check, Live<TimeSpan> freshness, TimeProvider time) : IAsyncDisposable
{
    private readonly Channel<bool> _asked =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private Task? _running;
    private long? _upAt;

    /// <summary>Hears each result, from a task of its own; says whether to go on checking an uplink that is away.</summary>
    public Func<bool, bool>? Judged { get; set; }

    /// <summary>False: there is no address to look at.</summary>
    public Live<bool> IsWanted { get; init; } = true;

    /// <summary>True when it was there a moment ago.</summary>
    public bool IsFreshlyUp
    {
        get
        {
            lock (_lock)
                return _upAt is { } at && time.GetElapsedTime(at) <= freshness.Value;
        }
    }

    /// <summary>Has it checked; a check that began before does not count. Returns at once.</summary>
    public void Ask()
    {
        lock (_lock)
        {
            if (_stop.IsCancellationRequested)
                return;
            _running ??= RunAsync();
        }

        _asked.Writer.TryWrite(true);
    }

    public async ValueTask DisposeAsync()
    {
        Task? running;
        lock (_lock)
        {
            if (_stop.IsCancellationRequested)
                return;
            _stop.Cancel();
            running = _running;
        }

        if (running is not null)
            await running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        // Not on the caller's stack: he may hold a lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var stop = _stop.Token;
        try
        {
            await foreach (bool _ in _asked.Reader.ReadAllAsync(stop))
            {
                while (!await CheckAsync(stop))
                    await Task.Delay(freshness.Value, time, stop);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>True when there is nothing more to wait for.</summary>
    private async Task<bool> CheckAsync(CancellationToken cancellationToken)
    {
        bool isUp = await check.IsUpAsync(cancellationToken);
        lock (_lock)
            _upAt = isUp ? time.GetTimestamp() : null;
        bool goesOn = Judged?.Invoke(isUp) ?? false;
        return isUp || !goesOn;
    }
}
