using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Support;

/// <summary>One stream that a tor opened.</summary>
/// <param name="Worker">Which tor.</param>
/// <param name="Host">The target as it was asked for, without its port.</param>
/// <param name="Token">The SOCKS password that tor was given, by which it keeps streams apart.</param>
internal sealed record TorStream(string Worker, string Host, string Circuit, string Token);

/// <summary>All streams of some tors, by their control ports' events.</summary>
internal sealed class TorStreams : IAsyncDisposable
{
    private readonly List<(ControlConnection Control, ControlSubscription Events, Task Reading)> _tors = [];
    private readonly ConcurrentQueue<TorStream> _carried = new();

    private TorStreams()
    {
    }

    /// <summary>Those so far.</summary>
    public IReadOnlyCollection<TorStream> Carried => _carried;

    public static async Task<TorStreams> WatchAsync(IEnumerable<(string Name, EndPoint Control)> tors, CancellationToken token)
    {
        var streams = new TorStreams();
        foreach (var (name, endPoint) in tors)
        {
            var control = await ControlConnection.ConnectAsync(
                endPoint, ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);
            var events = control.Subscribe(16384);
            streams._tors.Add((control, events, streams.ReadAsync(name, events)));
            await control.SetEventsAsync(["STREAM"], token);
        }

        return streams;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (control, events, reading) in _tors)
        {
            events.Dispose();
            await control.DisposeAsync();
            await reading;
        }
    }

    private async Task ReadAsync(string name, ControlSubscription events)
    {
        // Of those that are not open yet. What a stream is open to is an address, whatever was asked for.
        var asked = new Dictionary<string, (string Host, string Token)>(StringComparer.Ordinal);
        await foreach (var happened in events.Events.ReadAllAsync())
        {
            if (happened is not StreamEvent { Stream: var stream })
                continue;
            if (stream is { Status: StreamStatus.New, SocksPassword: { } password })
                asked[stream.Id] = (stream.TargetHost, password);
            else if (stream is { Status: StreamStatus.Succeeded, CircuitId: { } circuit } && asked.Remove(stream.Id, out var one))
                _carried.Enqueue(new TorStream(name, one.Host, circuit, one.Token));
        }
    }
}
