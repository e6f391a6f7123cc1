using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>One connection of the load.</summary>
/// <param name="Started">On the load's clock.</param>
/// <param name="Connected">When the proxy had answered that it is open; null: it never did.</param>
/// <param name="Error">Null: connected, and what was sent came back.</param>
internal sealed record LoadRequest(int Number, TimeSpan Started, TimeSpan? Connected, string? Error)
{
    public TimeSpan ConnectTime => (Connected ?? TimeSpan.MaxValue) - Started;
}

/// <summary>New connections at a fixed rate, whatever has become of those before; each echoes a few bytes and ends.</summary>
internal sealed class SteadyLoad : IAsyncDisposable
{
    /// <summary>No client waits longer; far beyond what any proxy of these tests may take.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    private readonly long _begun = Stopwatch.GetTimestamp();
    private readonly ConcurrentQueue<LoadRequest> _done = new();
    private readonly ConcurrentDictionary<int, (TimeSpan Started, Task Task)> _running = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly IPEndPoint _proxy;
    private readonly int _echoPort;
    private readonly Task _pacing;

    private SteadyLoad(IPEndPoint proxy, int echoPort, int perSecond)
    {
        _proxy = proxy;
        _echoPort = echoPort;
        _pacing = PaceAsync(TimeSpan.FromSeconds(1) / perSecond);
    }

    public TimeSpan Now => Stopwatch.GetElapsedTime(_begun);

    /// <summary>Those that have ended.</summary>
    public IReadOnlyList<LoadRequest> Done => [.. _done];

    public static SteadyLoad Start(IPEndPoint proxy, int echoPort, int perSecond) => new(proxy, echoPort, perSecond);

    /// <summary>Waits until that many requests that begin from now on have ended.</summary>
    public async Task MoreAsync(int count, CancellationToken token)
    {
        var from = Now;
        while (_done.Count(one => one.Started >= from) < count)
            await Task.Delay(20, token);
    }

    /// <summary>
    /// The requests that began after <paramref name="from"/> and until now, when all of them have ended. Older ones may hang.
    /// </summary>
    public async Task<IReadOnlyList<LoadRequest>> SinceAsync(TimeSpan from, CancellationToken token)
    {
        var until = Now;
        while (_running.Values.Any(one => one.Started > from && one.Started <= until))
            await Task.Delay(20, token);
        return [.. _done.Where(one => one.Started > from && one.Started <= until)];
    }

    /// <summary>Starts no more and waits for those under way.</summary>
    public async Task<IReadOnlyList<LoadRequest>> StopAsync()
    {
        await _stop.CancelAsync();
        await _pacing;
        await Task.WhenAll(_running.Values.Select(static one => one.Task));
        return Done;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    /// <summary>The time within which that share of the connections was open.</summary>
    public static TimeSpan Percentile(IEnumerable<LoadRequest> requests, double share)
    {
        var times = requests.Select(static one => one.ConnectTime).Order().ToArray();
        return times[Math.Min((int)(times.Length * share), times.Length - 1)];
    }

    /// <summary>For reports.</summary>
    public static string Describe(IReadOnlyCollection<LoadRequest> requests)
    {
        if (requests.Count == 0)
            return "no requests";
        double Ms(double share) => Percentile(requests, share).TotalMilliseconds;
        return $"{requests.Count} connects, {requests.Count(static one => one.Error is not null)} errors, "
            + $"p50 {Ms(0.5):0} ms, p90 {Ms(0.9):0} ms, p99 {Ms(0.99):0} ms, longest {Ms(1):0} ms";
    }

    private async Task PaceAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval);
        try
        {
            for (int number = 0; await timer.WaitForNextTickAsync(_stop.Token); number++)
            {
                int one = number;
                var started = Now;
                var request = new Task<Task>(() => RequestAsync(one, started));
                _running[one] = (started, request.Unwrap());
                request.Start(TaskScheduler.Default);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task RequestAsync(int number, TimeSpan started)
    {
        TimeSpan? connected = null;
        string? error = null;
        using var late = new CancellationTokenSource(Longest);
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(_proxy, late.Token);
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            byte[] reply = await SocksClient.RequestAsync(stream, "load.test", _echoPort, late.Token);
            if (reply[1] == 0)
            {
                connected = Now;
                await stream.WriteAsync("ping"u8.ToArray(), late.Token);
                byte[] echoed = await SocksClient.ReadAsync(stream, 4, late.Token);
                error = echoed.AsSpan().SequenceEqual("ping"u8) ? null : "other bytes came back";
            }
            else
            {
                error = $"SOCKS {reply[1]:X2}";
            }
        }
        catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException)
        {
            error = $"{failure.GetType().Name}: {failure.Message}";
        }

        _done.Enqueue(new LoadRequest(number, started, connected, error));
        _running.TryRemove(number, out _);
    }
}
