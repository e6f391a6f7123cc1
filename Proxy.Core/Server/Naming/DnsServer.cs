using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols.Dns;

namespace TorBalancer.Server.Naming;

/// <summary>The name server's sockets: packets here, and streams beside them.</summary>
internal sealed partial class DnsServer(DnsOptions options, DnsResponder responder, TimeProvider time, ILogger<DnsServer> logger)
    : IAsyncDisposable
{
    /// <summary>After an error of the socket's, which may come again at once.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private const int TriesForOnePort = 16;

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, bool> _answering = new();
    private Socket? _packets;
    private DnsStreams? _streams;
    private Task _receiving = Task.CompletedTask;
    private int _disposed;

    /// <summary>Where it listens, with the real port; null: nowhere.</summary>
    public IPEndPoint? Address => _packets?.LocalEndPoint as IPEndPoint;

    /// <summary>Begins to listen, if it is to. Throws <see cref="SocketException"/> when the address cannot be had.</summary>
    public void Start()
    {
        if (options.Address is not { } address)
            return;
        (_packets, var listening) = Bind(address);
        _streams = new DnsStreams(listening, responder, time, _stopping.Token);
        _receiving = Task.Run(ReceiveAsync);
        _streams.Start();
        Log.Listening(logger, (IPEndPoint)_packets.LocalEndPoint!);
    }

    public async ValueTask DisposeAsync()
    {
        // The host stops it, and its container disposes it.
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _stopping.CancelAsync();
        _packets?.Dispose();
        if (_streams is not null)
            await _streams.DisposeAsync();
        await _receiving;
        await Task.WhenAll(_answering.Keys);
        _stopping.Dispose();
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
        byte[] buffer = new byte[DnsFormat.LargestPacket];
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                int length = await socket.ReceiveFromAsync(buffer, SocketFlags.None, sender, _stopping.Token);
                var peer = (IPEndPoint)from.Create(sender);
                var client = peer.Address.IsIPv4MappedToIPv6 ? peer.Address.MapToIPv4() : peer.Address;
                if (responder.Admits(client))
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
            int length = await responder.AnswerAsync(message, client, answer, isPacket: true, _stopping.Token);
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
