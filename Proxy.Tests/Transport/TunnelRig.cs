using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Transport;

/// <summary>A tunnel between two peers that the test holds.</summary>
internal sealed record RiggedTunnel(long Id, Socket Client, Socket Worker, TunnelControl Counters, Task<TunnelEnd> End) : IDisposable
{
    public void Dispose()
    {
        Client.Dispose();
        Worker.Dispose();
    }
}

/// <summary>
/// The proxy's way with connections and nothing else of it: accepts, reads a few bytes of the client without consuming
/// them, connects to the worker, tunnels. Those bytes are the tunnel's number, by which the rig finds both its ends.
/// </summary>
internal sealed class TunnelRig : IAsyncDisposable
{
    public const int HeaderLength = sizeof(long);

    private readonly ITransport _transport;
    private readonly ITransportListener _listener;
    private readonly Socket _worker;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<long, Pending> _pending = new();
    private readonly Task _accepting, _acceptingAtWorker;
    private long _lastId;

    public TunnelRig(ITransport transport)
    {
        _transport = transport;
        _listener = transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(512, null));
        _worker = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _worker.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _worker.Listen(512);
        _accepting = _listener.RunAsync(AcceptAsync);
        _acceptingAtWorker = AcceptAtWorkerAsync();
    }

    /// <summary>A tunnel that has carried its number to the worker's end.</summary>
    public async Task<RiggedTunnel> OpenAsync(CancellationToken token)
    {
        long id = Interlocked.Increment(ref _lastId);
        var pending = new Pending();
        _pending[id] = pending;
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(_listener.LocalEndPoint, token);
        var header = new byte[HeaderLength];
        BinaryPrimitives.WriteInt64LittleEndian(header, id);
        await client.SendAsync(header, SocketFlags.None, token);
        var worker = await pending.Worker.Task.WaitAsync(token);
        _pending.TryRemove(id, out _);
        return new RiggedTunnel(id, client, worker, pending.Counters, pending.End.Task);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _worker.Dispose();
        await _accepting;
        await _acceptingAtWorker;
        await _listener.DisposeAsync();
        (_transport as IDisposable)?.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var tunnels = new ConcurrentDictionary<Task, bool>();
        try
        {
            while (true)
            {
                var connection = await _listener.AcceptAsync(_stop.Token);
                var carrying = new Carrying(this, connection);
                connection.Schedule(carrying);
                var tunnel = carrying.Done.Task;
                tunnels[tunnel] = true;
                _ = tunnel.ContinueWith(done => tunnels.TryRemove(done, out _), TaskScheduler.Default);
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(tunnels.Keys).ContinueWith(static _ => { }, TaskScheduler.Default);
        }
    }

    private async Task CarryAsync(TransportConnection client)
    {
        await using (client)
        {
            var read = await client.Input.ReadAtLeastAsync(HeaderLength, _stop.Token);
            long id = BinaryPrimitives.ReadInt64LittleEndian(read.Buffer.Slice(0, HeaderLength).FirstSpan);
            client.Input.AdvanceTo(read.Buffer.Start);
            var pending = _pending[id];
            var connected = await _transport.ConnectAsync(new TransportConnectRequest(_worker.LocalEndPoint!), _stop.Token);
            if (connected.Connection is null)
            {
                pending.Worker.SetException(new SocketException((int)connected.Error));
                return;
            }

            await using (connected.Connection)
            {
                try
                {
                    pending.End.SetResult(
                        await _transport.TunnelAsync(
                            client, connected.Connection, new TunnelSettings(pending.Counters, TimeSpan.Zero), _stop.Token));
                }
                catch (Exception failure)
                {
                    pending.End.SetException(failure);
                    throw;
                }
            }
        }
    }

    private async Task AcceptAtWorkerAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _worker.AcceptAsync(_stop.Token);
                socket.NoDelay = true;
                _ = MatchAsync(socket);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The rig is being taken down.
        }
    }

    private async Task MatchAsync(Socket socket)
    {
        var header = new byte[HeaderLength];
        for (int length = 0; length < HeaderLength;)
        {
            int count = await socket.ReceiveAsync(header.AsMemory(length), SocketFlags.None, _stop.Token);
            if (count == 0)
                return;
            length += count;
        }

        _pending[BinaryPrimitives.ReadInt64LittleEndian(header)].Worker.TrySetResult(socket);
    }

    /// <summary>One connection, begun where its transport wants it.</summary>
    private sealed class Carrying(TunnelRig rig, TransportConnection client) : IThreadPoolWorkItem
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Execute() => _ = RunAsync();

        private async Task RunAsync()
        {
            try
            {
                await rig.CarryAsync(client);
                Done.SetResult();
            }
            catch (Exception failure)
            {
                Done.SetException(failure);
            }
        }
    }

    private sealed class Pending
    {
        public TaskCompletionSource<Socket> Worker { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<TunnelEnd> End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TunnelControl Counters { get; } = new();
    }
}
