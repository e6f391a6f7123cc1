using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// Which workers read a request that comes right behind the greeting. tor does; a SOCKS server that takes one read for one
/// message drops the request (microsocks) or leaves it lying until more comes (ssh -D), and would be waited for in vain. RFC
/// 1928 has the client wait for each answer, so those are spoken to like that.
/// </summary>
/// <remarks>
/// Kept by worker and address. A worker that is out of service is a stranger again: another program may come back.
/// </remarks>
/// <param name="time">The clock that silence is measured by; null: the system's, since it is a real server that is silent.</param>
internal sealed partial class SocksPipelining(ITransport transport, ILogger<SocksPipelining>? logger = null, TimeProvider? time = null)
{
    /// <summary>
    /// Greeting answered and nothing more for so long is a reason to ask; what is asked has an answer that takes no circuit, so the
    /// same silence decides. So does breaking off: tor answers before it closes.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>A check that brought no answer is not made again at once for everybody who waits.</summary>
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    // 05 01 00, and behind it RESOLVE of an address: tor repeats that at once, without a circuit and even without a network
    // (measured on 0.4.9), others refuse the command. The address is one for documentation (RFC 5737) and nobody is connected to.
    private static readonly byte[] Question =
        [Socks5.Version, 1, Socks5.MethodNoAuth, Socks5.Version, Socks5.CommandResolve, 0, 3, 9, .. "192.0.2.1"u8, 0, 0];

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ILogger _logger = logger ?? (ILogger)NullLogger.Instance;
    private readonly ConcurrentDictionary<(string Id, EndPoint Address), Entry> _entries = new();

    /// <summary>True: it reads on. False: one message at a time. Null: not known yet.</summary>
    public bool? Of(WorkerModel worker) => _entries.TryGetValue((worker.Id, worker.SocksEndPoint), out var entry) ? entry.Works : null;

    /// <summary>It has answered a request that came behind the greeting.</summary>
    public void Works(WorkerModel worker) => EntryOf(worker).Works = true;

    /// <summary>It has answered the greeting and not what came behind it. Said once for a worker at an address.</summary>
    public void Fails(WorkerModel worker)
    {
        var entry = EntryOf(worker);
        entry.Works = false;
        if (entry.TryTell())
            Log.OneMessageAtATime(_logger, worker.Id, worker.SocksEndPoint);
    }

    /// <summary>Nothing is known any more; what was said is not said again.</summary>
    public void Forget(WorkerModel worker)
    {
        if (_entries.TryGetValue((worker.Id, worker.SocksEndPoint), out var entry))
            entry.Works = null;
    }

    /// <summary>Waits as long as an answer may take without being suspicious, and then finds out whether what was asked for is lost.</summary>
    public async Task<bool?> CheckLateAsync(WorkerModel worker, CancellationToken answered)
    {
        await Task.Delay(Patience, _time, answered);
        return await CheckAsync(worker, answered);
    }

    /// <summary>Finds it out over a connection of its own, unless it is known. Null: it could not be found out.</summary>
    public async Task<bool?> CheckAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        var entry = EntryOf(worker);
        await entry.Gate.WaitAsync(cancellationToken);
        try
        {
            if (entry.Works is null && (entry.UnclearSince is not { } asked || _time.GetElapsedTime(asked) >= AskAgainAfter))
            {
                bool? works = await AskAsync(worker, cancellationToken);
                entry.UnclearSince = works is null ? _time.GetTimestamp() : null;
                if (works == true)
                    Works(worker);
                else if (works == false)
                    Fails(worker);
            }

            return entry.Works;
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    private async Task<bool?> AskAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        bool isGreeted = false;
        try
        {
            timer.CancelAfter(Patience);
            var opened = await transport.ConnectAsync(worker.RequestTo(worker.SocksEndPoint) with { Opening = Question }, both.Token);
            if (opened.Connection is not { } connection)
                return null;
            await using (connection)
            {
                var (status, method) = await MessageReader.ReadAsync<(byte Version, byte Method)>(connection.Input, TryParseMethod, both.Token);
                if (status != ParseStatus.Done || method != (Socks5.Version, Socks5.MethodNoAuth))
                    return null;
                isGreeted = true;
                timer.CancelAfter(Patience);
                var more = await connection.Input.ReadAsync(both.Token);
                bool any = !more.Buffer.IsEmpty;
                connection.Input.AdvanceTo(more.Buffer.End);
                return any;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return isGreeted ? false : null;
        }
        catch (IOException)
        {
            return isGreeted ? false : null;
        }
    }

    private Entry EntryOf(WorkerModel worker) => _entries.GetOrAdd((worker.Id, worker.SocksEndPoint), static _ => new Entry());

    // | VER | METHOD | (RFC 1928, section 3)
    private static ParseStatus TryParseMethod(ref SequenceReader<byte> reader, out (byte Version, byte Method) answer)
    {
        answer = default;
        if (!reader.TryRead(out byte version) || !reader.TryRead(out byte method))
            return ParseStatus.NeedMore;
        answer = (version, method);
        return ParseStatus.Done;
    }

    private sealed class Entry
    {
        private volatile int _works;
        private int _told;

        public SemaphoreSlim Gate { get; } = new(1, 1);

        /// <summary>A timestamp; under the gate.</summary>
        public long? UnclearSince { get; set; }

        public bool? Works
        {
            get => _works == 0 ? null : _works > 0;
            set => _works = value switch { null => 0, true => 1, false => -1 };
        }

        public bool TryTell() => Interlocked.Exchange(ref _told, 1) == 0;
    }

    private static partial class Log
    {
        [LoggerMessage(ConnectingEventIds.OneMessageAtATime, LogLevel.Warning,
            "Worker {Worker} at {Address} does not read a request that comes behind the SOCKS greeting, as tor does: from now on it is sent one message at a time, which takes a round trip more")]
        public static partial void OneMessageAtATime(ILogger logger, string worker, EndPoint address);
    }
}
