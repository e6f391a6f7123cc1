using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>A connection over <see cref="Socket"/>.</summary>
internal sealed class SocketConnection : TransportConnection
{
    // A zero-byte read waits before a buffer is rented, so a silent client costs no buffer.
    private static readonly StreamPipeReaderOptions ReaderOptions =
        new(bufferSize: 4096, minimumReadSize: 512, leaveOpen: true, useZeroByteReads: true);

    private readonly NetworkStream _stream;
    private readonly OpenSockets? _open;
    private PipeReader? _input;
    private int _closed;

    /// <param name="socket">Connected; throws <see cref="SocketException"/> when it broke already.</param>
    /// <param name="open">Where it is counted, until it is closed; null: nowhere.</param>
    public SocketConnection(Socket socket, OpenSockets? open = null)
    {
        Socket = socket;
        _open = open;
        _stream = new TurnTakingStream(socket);
        RemoteAddress = (socket.RemoteEndPoint as IPEndPoint)?.Address;
        LocalEndPoint = socket.AddressFamily == AddressFamily.Unix ? null : socket.LocalEndPoint;
    }

    public Socket Socket { get; }

    public override EndPoint? LocalEndPoint { get; }

    public override IPAddress? RemoteAddress { get; }

    internal override IPEndPoint? OriginalDestination => RemoteAddress is null ? null : SocketTuning.OriginalOf(Socket, RemoteAddress);

    public override PipeReader Input => _input ??= PipeReader.Create(_stream, ReaderOptions);

    /// <summary>What the reader has buffered, if a reader was ever made.</summary>
    public bool TryTakeBuffered(out ReadResult result)
    {
        result = default;
        if (_input is null)
            return false;

        // What was examined and not consumed is not offered again until more comes, unless the read is cancelled.
        _input.CancelPendingRead();
        return _input.TryRead(out result) && !result.Buffer.IsEmpty;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default) =>
        _stream.WriteAsync(data, cancellationToken);

    public override bool TryClaim()
    {
        try
        {
            return !Socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    public override void Schedule(IThreadPoolWorkItem work) => ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: false);

    /// <summary>Bytes have arrived that nobody has read.</summary>
    public bool HasUnread
    {
        get
        {
            try
            {
                return Socket.Available > 0;
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                return false;
            }
        }
    }

    internal override Delivery? Delivery => Transport.Delivery.Of(Socket);

    internal override bool IsBroken => Transport.Delivery.IsBroken(Socket);

    internal override void ProbePeer() => SocketTuning.ProbePeer(Socket);

    public override void ShutdownSend()
    {
        try
        {
            Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // The peer is already gone: there is nobody to tell.
        }
    }

    public override void Abort()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
            return;

        // SO_LINGER with zero makes close(2) send RST.
        try
        {
            Socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
        }

        CloseSocket();
    }

    public override ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
            CloseSocket();
        _input?.Complete();
        return ValueTask.CompletedTask;
    }

    private void CloseSocket()
    {
        Socket.Dispose();
        _open?.Closed();
    }
}
