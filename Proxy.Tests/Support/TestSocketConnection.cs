using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Support;

/// <summary>A plain <see cref="TransportConnection"/> over a socket, for tests of what runs on top of one.</summary>
internal sealed class TestSocketConnection : TransportConnection
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;

    public TestSocketConnection(Socket socket)
    {
        _socket = socket;
        _socket.NoDelay = true;
        _stream = new NetworkStream(socket, ownsSocket: true);
        Input = PipeReader.Create(_stream, new StreamPipeReaderOptions(leaveOpen: true));
    }

    public override EndPoint? LocalEndPoint => _socket.LocalEndPoint;

    public override IPAddress? RemoteAddress => (_socket.RemoteEndPoint as IPEndPoint)?.Address;

    public override PipeReader Input { get; }

    /// <summary>Two connected TCP sockets on loopback.</summary>
    public static async Task<(Socket Near, Socket Far)> ConnectPairAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndPoint!);
        return (near, await listener.AcceptAsync());
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default) =>
        _stream.WriteAsync(data, cancellationToken);

    public override bool TryClaim() => true;

    public override void Schedule(IThreadPoolWorkItem work) => ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: false);

    public override void ShutdownSend() => _socket.Shutdown(SocketShutdown.Send);

    public override void Abort()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    public override ValueTask DisposeAsync() => _stream.DisposeAsync();
}
