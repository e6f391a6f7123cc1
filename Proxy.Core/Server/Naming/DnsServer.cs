using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols.Dns;
using TorBalancer.Server.Limits;

namespace TorBalancer.Server.Naming;

/// <summary>
/// The name server's sockets. Whom AllowFrom does not name hears nothing, nor does who asks too much, so that it serves nobody to flood a
/// third one; and no answer is much longer than its question.
/// </summary>
internal sealed partial class DnsServer(
    DnsOptions options, DnsResolver resolver, DnsCounters counters, TimeProvider time, ILogger<DnsServer> logger) : IAsyncDisposable
{
    /// <summary>Questions of one client that are being answered; more are not taken.</summary>
    public const int MostOfAClient = 128;

    /// <summary>After an error of the socket's, which may come again at once.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private const int TriesForOnePort = 16;

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, bool> _answering = new();
    private readonly IPNetwork[] _allowFrom = [.. options.AllowFrom];
    private readonly ClientTable _clients = new(time);
    private readonly ListenerLimitModel _limits = new(new ListenerLimitOptions
    {
        MaxConnectionsPerClient = MostOfAClient, ConnectionRatePerClient = options.QueryRatePerClient,
    });

    private Socket? _packets;
    private DnsStreams? _streams;
    private Task _receiving = Task.CompletedTask;

    /// <summary>Where it listens, with the real port; null: nowhere.</summary>
    public IPEndPoint? Address => _packets?.LocalEndPoint as IPEndPoint;

    /// <summary>Begins to listen, if it is to. Throws <see cref="SocketException"/> when the address cannot be had.</summary>
    public void Start()
    {
        if (options.Address is not { } address)
            return;
        (_packets, var listening) = Bind(address);
        _streams = new DnsStreams(listening, this, time);
        _receiving = Task.Run(ReceiveAsync);
        _streams.Start();
        Log.Listening(logger, (IPEndPoint)_packets.LocalEndPoint!);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _packets?.Dispose();
        if (_streams is not null)
            await _streams.DisposeAsync();
        await _receiving;
        await Task.WhenAll(_answering.Keys);
        _stopping.Dispose();
    }

    /// <summary>Cancelled when it ends.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Whether a client is answered at all; who is not is counted.</summary>
    public bool Admits(IPAddress client)
    {
        bool isAllowed = _allowFrom.Length == 0 ? IPAddress.IsLoopback(client) : Array.Exists(_allowFrom, network => network.Contains(client));
        if (!isAllowed)
            counters.Count(DnsOutcome.NotAllowed);
        return isAllowed;
    }

    /// <summary>
    /// Answers one message of a client that is admitted. Gives the length of the answer; 0: there is none. Throws only when it ends.
    /// </summary>
    /// <param name="message">The client's, which stays as it is until this has ended.</param>
    /// <param name="client">No IPv4-mapped address.</param>
    /// <param name="answer">Takes it; of <see cref="DnsAnswer.MaxLength"/>.</param>
    /// <param name="isPacket">False: it may be as long as it likes.</param>
    public async ValueTask<int> AnswerAsync(ReadOnlyMemory<byte> message, IPAddress client, Memory<byte> answer, bool isPacket)
    {
        var verdict = _clients.Enter(client, _limits, out var account);
        if (verdict.Refused is not null)
        {
            account?.Leave(wasRefused: true);
            counters.Count(DnsOutcome.Limited);
            return 0;
        }

        try
        {
            if (DnsQuery.Read(message, out var problem) is not { } query)
            {
                counters.Count(DnsOutcome.FormatError);
                return 0;
            }

            var result = problem == DnsCode.NoError
                ? await resolver.AnswerAsync(query, client, _stopping.Token) : new DnsAnswer(problem);
            counters.Count(query, result);
            int limit = isPacket ? Math.Min(query.PacketSize, DnsAnswer.LargestPacket) : ushort.MaxValue;
            return result.Write(answer.Span, query, limit);
        }
        finally
        {
            account?.Leave(wasRefused: false);
        }
    }

    /// <summary>Both on one port, which may be the system's choice.</summary>
    private static (Socket Packets, Socket Streams) Bind(IPEndPoint address)
    {
        for (int tries = 1; ; tries++)
        {
            var packets = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            var streams = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                if (address.AddressFamily == AddressFamily.InterNetworkV6)
                    packets.DualMode = streams.DualMode = address.Address.Equals(IPAddress.IPv6Any);
                packets.Bind(address);
                streams.Bind(packets.LocalEndPoint!);
                streams.Listen(DnsStreams.Most);
                return (packets, streams);
            }
            catch (SocketException failure)
            {
                packets.Dispose();
                streams.Dispose();
                if (address.Port != 0 || failure.SocketErrorCode != SocketError.AddressAlreadyInUse || tries == TriesForOnePort)
                    throw;
            }
        }
    }

    private async Task ReceiveAsync()
    {
        var socket = _packets!;
        var from = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        var sender = new SocketAddress(socket.AddressFamily);
        byte[] buffer = new byte[DnsAnswer.LargestPacket];
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                int length = await socket.ReceiveFromAsync(buffer, SocketFlags.None, sender, _stopping.Token);
                var peer = (IPEndPoint)from.Create(sender);
                var client = peer.Address.IsIPv4MappedToIPv6 ? peer.Address.MapToIPv4() : peer.Address;
                if (Admits(client))
                    Track(ReplyAsync(socket, buffer[..length], client, peer));
            }
            catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException failure)
            {
                Log.ReceiveFailed(logger, failure.SocketErrorCode);
                await Task.Delay(Pause, time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ReplyAsync(Socket socket, byte[] message, IPAddress client, IPEndPoint peer)
    {
        try
        {
            byte[] answer = new byte[DnsAnswer.MaxLength];
            int length = await AnswerAsync(message, client, answer, isPacket: true);
            if (length > 0)
                await socket.SendToAsync(answer.AsMemory(0, length), SocketFlags.None, peer, _stopping.Token);
        }
        catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The client asks again, or is gone; or we stop.
        }
    }

    private void Track(Task answering)
    {
        if (answering.IsCompleted)
            return;
        _answering.TryAdd(answering, true);
        _ = answering.ContinueWith(
            static (task, all) => ((ConcurrentDictionary<Task, bool>)all!).TryRemove(task, out _), _answering, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private static partial class Log
    {
        [LoggerMessage(NamingEventIds.Listening, LogLevel.Information, "Names are answered on {Address}, UDP and TCP")]
        public static partial void Listening(ILogger logger, IPEndPoint address);

        [LoggerMessage(NamingEventIds.ReceiveFailed, LogLevel.Warning, "A question for a name could not be received: {Error}")]
        public static partial void ReceiveFailed(ILogger logger, SocketError error);
    }
}
