using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using TorBalancer.Connecting;
using TorBalancer.Forwarding;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Balancing;
using TorBalancer.Tests.Protocols.Http;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Forwarding;

/// <summary>One client connection served as the server does it, real sockets on both sides, both ends played by the test.</summary>
internal sealed class HttpForwarderHarness : IAsyncDisposable
{
    /// <summary>
    /// The engines below: sockets as any platform has them; the event loops of Linux; and those where no pipe can be had.
    /// </summary>
    public const string Sockets = "sockets", Loops = "linux", LoopsWithoutPipes = "linux without pipes";

    private static readonly Lazy<LinuxTransport> LoopEngine = new(static () => new LinuxTransport(2));
    private static readonly Lazy<LinuxTransport> PipelessEngine =
        new(static () => new LinuxTransport(new EventLoops(2, pipes: 0), default(SocketSettings)));

    private readonly ConcurrentDictionary<string, Channel<ScriptedPeer>> _origins = new();
    private readonly CancellationToken _token = TestContext.CurrentContext.CancellationToken;
    private readonly CancellationTokenSource _stop;
    private readonly List<IDisposable> _owned = [];
    private readonly WorkerState _worker = PoolOf.Equal(1).Find("w1")!;
    private readonly StreamAccounting _accounting = new(NullOutcomeSink.Instance, TimeSpan.Zero, TimeProvider.System);
    private readonly TransportConnection _server;
    private readonly Task _serving;
    private readonly LinuxTransport? _loops;

    private HttpForwarderHarness(ScriptedPeer client, TransportConnection server, HttpServerSettings settings, LinuxTransport? loops)
    {
        _loops = loops;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(_token);
        Client = client;
        _server = server;
        _owned.Add(client);
        var served = new Serving(() => ServeAsync(settings));
        _serving = served.Task.Unwrap();
        server.Schedule(served);
    }

    public ScriptedPeer Client { get; }

    /// <summary>Fields of the request that its buffer still holds when the forwarder hands over.</summary>
    public int HeadFields { get; private set; } = -1;

    public TunnelCounters Counters { get; } = new();

    public List<ProxyRequest> Connects { get; } = [];

    public Channel<HttpExchange> Exchanges { get; } = Channel.CreateUnbounded<HttpExchange>();

    public TaskCompletionSource<ServedOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<ServedOutcome> EndedAsync() => Outcome.Task.WaitAsync(_token);

    /// <summary>Answers a request with an error in place of a connection.</summary>
    public Func<ProxyRequest, ProxyError> Fail { get; set; } = _ => ProxyError.None;

    /// <summary>Awaited before a connection is given.</summary>
    public Func<CancellationToken, Task> Delay { get; set; } = _ => Task.CompletedTask;

    public Func<ClientCredentials?, ProxyError> Authenticate { get; set; } = _ => ProxyError.None;

    public static async Task<HttpForwarderHarness> StartAsync(string engine, TimeSpan? idle = null, TimeSpan? handshake = null)
    {
        if (engine != Sockets && !LinuxTransport.IsSupported)
            Assert.Ignore("there is no such engine here");
        var loops = engine switch { Loops => LoopEngine.Value, LoopsWithoutPipes => PipelessEngine.Value, _ => null };
        var (near, server) = await AcceptAsync(loops);
        var settings = new HttpServerSettings("c-1", handshake ?? TimeSpan.FromSeconds(30))
        {
            IdleTimeout = idle ?? TimeSpan.FromSeconds(60),
        };
        return new HttpForwarderHarness(new ScriptedPeer(near), server, settings, loops);
    }

    private static async Task<(Socket Client, TransportConnection Server)> AcceptAsync(LinuxTransport? loops)
    {
        if (loops is null)
        {
            var (client, far) = await TestSocketConnection.ConnectPairAsync();
            return (client, new TestSocketConnection(far));
        }

        await using var listener = loops.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(16, null));
        var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await near.ConnectAsync(listener.LocalEndPoint);
        return (near, await listener.AcceptAsync(CancellationToken.None));
    }

    /// <summary>A connection to an origin that the test plays; begun on a loop it ends there.</summary>
    private async ValueTask<(TransportConnection Near, Socket Far)> ConnectAsync(CancellationToken cancellationToken)
    {
        if (_loops is null)
        {
            var (socket, peer) = await TestSocketConnection.ConnectPairAsync();
            return (new TestSocketConnection(socket), peer);
        }

        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var near = await _loops.ConnectAsync(new TransportConnectRequest(listener.LocalEndPoint!), cancellationToken);
        var far = listener.Accept();
        far.NoDelay = true;
        return (near.Connection!, far);
    }

    /// <summary>The origin's end of the next connection to a host.</summary>
    public async Task<ScriptedPeer> OriginAsync(string host = "h") => await Origins(host).Reader.ReadAsync(_token);

    public async Task<HttpExchange> ExchangeAsync()
    {
        return await Exchanges.Reader.ReadAsync(_token);
    }

    private async ValueTask<ConnectOutcome> OpenAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        Connects.Add(request);
        await Delay(cancellationToken);
        var error = Fail(request);
        if (error.IsError)
            return new ConnectOutcome(null, default, error, 2, "w2");
        var (near, far) = await ConnectAsync(cancellationToken);
        var peer = new ScriptedPeer(far);
        _owned.Add(peer);
        Origins(request.Target.Host).Writer.TryWrite(peer);
        var attempt = new ConnectAttempt(_worker.Lease(), new DialResult(near, default, default), TimeSpan.Zero);
        return new ConnectOutcome(new WorkerStream(attempt, request.Target, _accounting), default, default, 1, "w1");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        foreach (var owned in _owned)
            owned.Dispose();
        await _server.DisposeAsync();
        _stop.Dispose();
    }

    private Channel<ScriptedPeer> Origins(string host) => _origins.GetOrAdd(host, _ => Channel.CreateUnbounded<ScriptedPeer>());

    private async Task ServeAsync(HttpServerSettings settings)
    {
        try
        {
            using var http = new HttpServerConnection(
                _server, settings, new Verdict(credentials => Authenticate(credentials)), TimeProvider.System);
            var outcome = await ServeAsync(http);
            HeadFields = http.Head.FieldCount;
            if (outcome.Upgraded is not null)
                await EchoTunnelAsync(outcome.Upgraded);
            else if (outcome.Kind == Served.Connect)
                await http.ReplyConnectedAsync(null, _stop.Token);
            var lingering = new LingeringClose(TimeProvider.System);
            if (outcome.Farewell == ClientFarewell.Finish)
                await lingering.FinishAsync(_server, default, _stop.Token);
            else if (outcome.Farewell == ClientFarewell.Reset)
                await lingering.BeforeResetAsync(_server, default, _stop.Token);
            if (outcome.Farewell is ClientFarewell.Reset or ClientFarewell.Abort)
                _server.Abort();
            Outcome.TrySetResult(outcome);
            if (outcome.Kind == Served.Ended)
                await _server.DisposeAsync();
        }
        catch (OperationCanceledException)
        {
            Outcome.TrySetCanceled();
        }
        catch (Exception failure)
        {
            Outcome.TrySetException(failure);
        }
    }

    private async Task<ServedOutcome> ServeAsync(HttpServerConnection http)
    {
        await using var forwarder = new HttpForwarder(http, OpenAsync, Counters);
        while (true)
        {
            var next = await forwarder.ReadRequestAsync(_stop.Token);
            switch (next.Kind)
            {
                case HttpServerRequestKind.Connect:
                    return new ServedOutcome(Served.Connect, next.Request, default, null);
                case HttpServerRequestKind.Refused when !next.IsLast:
                    Exchanges.Writer.TryWrite(new HttpExchange(next.Request, next.Status, next.Error));
                    continue;
                case HttpServerRequestKind.Refused:
                    Exchanges.Writer.TryWrite(new HttpExchange(next.Request, next.Status, next.Error));
                    return new ServedOutcome(Served.Ended, null, next.Farewell, null, next.Error);
                case HttpServerRequestKind.Ended:
                    return new ServedOutcome(Served.Ended, null, next.Farewell, null, next.Error);
            }

            HttpForwardResult result;
            try
            {
                result = await forwarder.ForwardAsync(next.Request!, _stop.Token);
            }
            finally
            {
                Exchanges.Writer.TryWrite(forwarder.Last);
            }

            if (!result.GoesOn)
                return new ServedOutcome(
                    result.Upgraded is null ? Served.Ended : Served.Tunnel, next.Request, result.Farewell, result.Upgraded,
                    forwarder.Last.Error);
        }
    }

    /// <summary>A tunnel for tests: what each side has buffered, then what it sends, until it finishes.</summary>
    private async Task EchoTunnelAsync(WorkerStream upstream)
    {
        await using (upstream)
            await Task.WhenAll(CopyAsync(_server, upstream.Connection), CopyAsync(upstream.Connection, _server));
    }

    /// <summary>Begins where the connection is served best, as the server does it.</summary>
    private sealed class Serving(Func<Task> serve) : TaskCompletionSource<Task>(TaskCreationOptions.RunContinuationsAsynchronously),
        IThreadPoolWorkItem
    {
        public void Execute() => SetResult(serve());
    }

    private async Task CopyAsync(TransportConnection from, TransportConnection to)
    {
        while (true)
        {
            var read = await from.Input.ReadAsync(_stop.Token);
            foreach (var segment in read.Buffer)
                await to.WriteAsync(segment, _stop.Token);
            from.Input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        to.ShutdownSend();
    }
}

/// <summary>What became of the client's connection.</summary>
internal enum Served
{
    Ended,
    Tunnel,
    Connect,
}

internal sealed record ServedOutcome(
    Served Kind, ProxyRequest? Request, ClientFarewell Farewell, WorkerStream? Upgraded, ProxyError Error = default);
