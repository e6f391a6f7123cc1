using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;

namespace TorBalancer.Benchmarks.Support;

/// <summary>Two blocking sockets: with a tunnel of an engine between them, or connected to each other.</summary>
internal sealed class TunnelPair : IDisposable
{
    private readonly ITransport? _transport;
    private readonly ITransportListener? _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _tunnel = Task.CompletedTask;

    /// <param name="engine">Null: no tunnel.</param>
    public TunnelPair(string? engine)
    {
        using var worker = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        worker.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        worker.Listen(1);
        Client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (engine is null)
        {
            Client.Connect(worker.LocalEndPoint!);
        }
        else
        {
            _transport = Engines.Create(engine);
            _listener = _transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(1, null));
            _tunnel = CarryAsync(_transport, _listener, worker.LocalEndPoint!, _stop.Token);
            Client.Connect(_listener.LocalEndPoint);
        }

        Worker = worker.Accept();
        Worker.NoDelay = true;
    }

    public Socket Client { get; }

    public Socket Worker { get; }

    public void Dispose()
    {
        _stop.Cancel();
        Client.Dispose();
        Worker.Dispose();
        _tunnel.GetAwaiter().GetResult();
        _listener?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        (_transport as IDisposable)?.Dispose();
        _stop.Dispose();
    }

    private static async Task CarryAsync(ITransport transport, ITransportListener listener, EndPoint worker, CancellationToken stop)
    {
        await using var client = await listener.AcceptAsync(stop);
        await using var upstream = (await transport.ConnectAsync(new TransportConnectRequest(worker), stop)).Connection!;
        var (control, owner) = (new TunnelControl(), new Owner());
        await using var stopping = stop.UnsafeRegister(static state => ((TunnelControl)state!).Stop(), control);
        transport.BeginTunnel(client, upstream, new TunnelSettings(control, TimeSpan.Zero), owner);
        await owner.Ended.Task;
    }

    private sealed class Owner : ITunnelOwner
    {
        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void TunnelEnded(TunnelEnd how, Exception? fault) => Ended.SetResult();
    }
}
