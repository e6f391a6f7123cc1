using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols.Dns;
using TorBalancer.Transport;

namespace TorBalancer.Server.Naming;

/// <summary>The name server's sockets: packets here, and streams beside them.</summary>
internal sealed partial class DnsServer(DnsOptions options, DnsResponder responder, TimeProvider time, ILogger<DnsServer> logger)
    : IAsyncDisposable
{
    /// <summary>After an error of the socket's, which may come again at once.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>For answers that are on their way when another process has taken over: stub resolvers have asked thrice by then.</summary>
    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(15);

    private const int TriesForOnePort = 16;

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, bool> _answering = new();
    private SharableSocket? _packets;
    private DnsStreams? _streams;
    private CancellationTokenSource? _pause;
    private Task _receiving = Task.CompletedTask;
    private bool _isLeft;
    private int _disposed;

    /// <summary>Where it listens, with the real port; null: nowhere.</summary>
    public IPEndPoint? Address => _packets?.Socket.LocalEndPoint as IPEndPoint;

    /// <summary>Of packets and of streams, for another process to have as well; null: it listens nowhere.</summary>
    public (Socket Packets, Socket Streams)? Sockets =>
        _packets is { } packets && _streams is { } streams ? (packets.Socket, streams.Listening) : null;

    /// <summary>Binds and answers, if it is to. Throws <see cref="SocketException"/> when the address cannot be had.</summary>
    public void Start()
    {
        Bind();
        Begin();
    }

    /// <summary>
    /// Binds, if it is to, and answers nobody before <see cref="Begin"/>. Throws <see cref="SocketException"/> when the address cannot be
    /// had.
    /// </summary>
    public void Bind()
    {
        if (options.Address is not { } address)
            return;
        var (packets, streams) = Bind(address);
        Have(packets, streams, areShared: false);
    }

    /// <summary>Instead of <see cref="Bind()"/>: sockets that are bound to its address, and that another process has too.</summary>
    public void Adopt(Socket packets, Socket streams) => Have(packets, streams, areShared: true);

    /// <summary>From now on it answers, if it is bound.</summary>
    public void Begin()
    {
        if (_packets is null)
            return;
        StartReceiving();
        _streams!.Start();
        Log.Listening(logger, Address!);
    }

    /// <summary>
    /// Takes no question until <see cref="Resume"/>; who asks waits in the kernel's queues. Answers that are on their way go on.
    /// </summary>
    public async Task PauseAsync()
    {
        if (_pause is not null)
            await _pause.CancelAsync();
        await _receiving;
        if (_streams is not null)
            await _streams.PauseAsync();
    }

    /// <summary>After <see cref="PauseAsync"/>: everything is as it was. Nothing happens without one.</summary>
    public void Resume()
    {
        // Another part's pause may have failed before ours, and we may have ended meanwhile.
        if (_pause is not { IsCancellationRequested: true } || Volatile.Read(ref _disposed) != 0)
            return;
        StartReceiving();
        _streams!.Resume();
    }

    /// <summary>After <see cref="PauseAsync"/>: the port is another process's from now on.</summary>
    public void Leave()
    {
        _isLeft = true;
        _packets?.Share();
        _streams?.Leave();
    }

    /// <summary>Ends. Answers that are on their way still go out if another process has the port; else their clients ask in vain.</summary>
    /// <param name="cancellationToken">Ends the wait for them.</param>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_isLeft && _streams is not null)
        {
            var answering = Task.WhenAll([.. _answering.Keys, _streams.DrainAsync()]);
            await answering.WaitAsync(LongestDrain, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        // The host stops it, and its container disposes it.
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _stopping.CancelAsync();
        await _receiving;
        await Task.WhenAll(_answering.Keys);
        _packets?.Dispose();
        if (_streams is not null)
            await _streams.DisposeAsync();
        _pause?.Dispose();
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

    private void Have(Socket packets, Socket streams, bool areShared)
    {
        _packets = new SharableSocket(packets, areShared);
        _streams = new DnsStreams(new SharableSocket(streams, areShared), responder, time, _stopping.Token);
    }

    private void StartReceiving()
    {
        _pause?.Dispose();
        _pause = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        var token = _pause.Token;
        _receiving = Task.Run(() => ReceiveAsync(token), CancellationToken.None);
    }

    private async Task ReceiveAsync(CancellationToken paused)
    {
        var packets = new DnsPackets(_packets!.Socket);
        byte[] buffer = new byte[DnsFormat.LargestPacket];
        while (!paused.IsCancellationRequested)
        {
            try
            {
                var packet = await packets.ReceiveAsync(buffer, paused);
                var client = packet.Peer.Address.IsIPv4MappedToIPv6 ? packet.Peer.Address.MapToIPv4() : packet.Peer.Address;
                if (responder.Admits(client))
                    Track(ReplyAsync(packets, buffer[..packet.Length], client, packet));
            }
            catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException failure)
            {
                Log.ReceiveFailed(logger, failure.SocketErrorCode);
                await Task.Delay(Pause, time, paused).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ReplyAsync(DnsPackets packets, byte[] message, IPAddress client, DnsPacket packet)
    {
        try
        {
            byte[] answer = new byte[DnsAnswer.MaxLength];
            int length = await responder.AnswerAsync(message, client, answer, isPacket: true, _stopping.Token);
            if (length > 0)
                await packets.ReplyAsync(packet, answer.AsMemory(0, length), _stopping.Token);
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
