using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Configuration.Options;
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
/// Kept by worker, for the address that it has. A worker that is out of service is a stranger again: another program may come back.
/// </remarks>
/// <param name="time">The clock that silence is measured by; null: the system's, since it is a real server that is silent.</param>
/// <param name="workerTimeout">The longest that a worker may take to accept and to greet ([Connect] WorkerTimeout); null: 5 s.</param>
internal sealed partial class SocksPipelining(
    ITransport transport, ILogger<SocksPipelining>? logger = null, TimeProvider? time = null, Live<TimeSpan>? workerTimeout = null)
{
    /// <summary>
    /// Greeting answered and nothing more for so long is a reason to ask; what is asked has an answer that takes no circuit, so the
    /// same silence decides. So does breaking off: tor answers before it closes.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>A check that brought no answer is not made again at once for everybody who waits.</summary>
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    /// <summary>
    /// That it reads one message at a time may have been a stall of the network; a check that is asked for later finds out anew.
    /// </summary>
    internal static readonly TimeSpan DoubtAfter = TimeSpan.FromMinutes(10);

    // 05 01 00, and behind it RESOLVE of an address: tor repeats that at once, without a circuit and even without a network
    // (measured on 0.4.9), others refuse the command. The address is one for documentation (RFC 5737) and nobody is connected to.
    private static readonly byte[] Question =
        [Socks5.Version, 1, Socks5.MethodNoAuth, Socks5.Version, Socks5.CommandResolve, 0, 3, 9, .. "192.0.2.1"u8, 0, 0];

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ILogger _logger = logger ?? (ILogger)NullLogger.Instance;
    private readonly Live<TimeSpan> _workerTimeout = workerTimeout ?? TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<string, Entry> _entries = new();

    /// <summary>True: it reads on. False: one message at a time. Null: not known yet.</summary>
    public bool? Of(WorkerModel worker) => Find(worker)?.Works;

    /// <summary>It has answered a request that came behind the greeting.</summary>
    public void Works(WorkerModel worker) => EntryOf(worker).Works = true;

    /// <summary>It has answered the greeting and not what came behind it. Said once for a worker at an address.</summary>
    public void Fails(WorkerModel worker)
    {
        var entry = EntryOf(worker);
        entry.Works = false;
        entry.FailedAt = _time.GetTimestamp();
        if (entry.TryTell())
            Log.OneMessageAtATime(_logger, worker.Id, worker.SocksEndPoint);
    }

    /// <summary>Nothing is known any more; what was said is not said again.</summary>
    public void Forget(WorkerModel worker)
    {
        if (Find(worker) is { } entry)
            entry.Works = null;
    }

    /// <summary>
    /// Waits as long as an answer may take without being suspicious, and then finds out whether what was asked for is lost; again and
    /// again, as long as it cannot be found out and the answer does not come.
    /// </summary>
    public async Task<bool> CheckLateAsync(WorkerModel worker, CancellationToken answered)
    {
        while (true)
        {
            await Task.Delay(Patience, _time, answered);
            if (await CheckAsync(worker, answered) is { } works)
                return works;
        }
    }

    /// <summary>Finds it out over a connection of its own, unless it is known. Null: it could not be found out.</summary>
    public async Task<bool?> CheckAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        var entry = EntryOf(worker);
        await entry.Gate.WaitAsync(cancellationToken);
        try
        {
            bool isDoubtful = entry.Works is null || (entry.Works == false && _time.GetElapsedTime(entry.FailedAt) >= DoubtAfter);
            if (isDoubtful && (entry.UnclearSince is not { } asked || _time.GetElapsedTime(asked) >= AskAgainAfter))
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
            timer.CancelAfter(_workerTimeout.Value);
            var opened = await transport.ConnectAsync(worker.RequestTo(worker.SocksEndPoint) with { Opening = Question }, both.Token);
            if (opened.Connection is not { } connection)
                return null;
            await using (connection)
            {
                var (status, method) = await MessageReader.ReadAsync<(byte Version, byte Method)>(
                    connection.Input, TryParseMethod, both.Token);
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

    private Entry? Find(WorkerModel worker) =>
        _entries.TryGetValue(worker.Id, out var entry) && entry.Address.Equals(worker.SocksEndPoint) ? entry : null;

    /// <summary>At another address it is another server, and what was known of the former one is of no use any more.</summary>
    private Entry EntryOf(WorkerModel worker) => Find(worker) ?? _entries.AddOrUpdate(
        worker.Id,
        static (_, address) => new Entry(address),
        static (_, known, address) => known.Address.Equals(address) ? known : new Entry(address),
        worker.SocksEndPoint);

    // | VER | METHOD | (RFC 1928, section 3)
    private static ParseStatus TryParseMethod(ref SequenceReader<byte> reader, out (byte Version, byte Method) answer)
    {
        answer = default;
        if (!reader.TryRead(out byte version) || !reader.TryRead(out byte method))
            return ParseStatus.NeedMore;
        answer = (version, method);
        return ParseStatus.Done;
    }

    private sealed class Entry(EndPoint address)
    {
        private volatile int _works;
        private long _failedAt;
        private int _told;

        public EndPoint Address => address;

        public SemaphoreSlim Gate { get; } = new(1, 1);

        /// <summary>A timestamp; under the gate.</summary>
        public long? UnclearSince { get; set; }

        /// <summary>A timestamp: when it was last found to read one message at a time.</summary>
        public long FailedAt
        {
            get => Volatile.Read(ref _failedAt);
            set => Volatile.Write(ref _failedAt, value);
        }

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
            "Worker {Worker} at {Address} does not read a request that comes behind the SOCKS greeting, as tor does: from now on it is "
                + "sent one message at a time, which takes a round trip more")]
        public static partial void OneMessageAtATime(ILogger logger, string worker, EndPoint address);
    }
}
