using System.Collections.Concurrent;
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
using TorBalancer.Workers;

namespace TorBalancer.Tests.Forwarding;

/// <summary>One client connection served as the server does it, real sockets on both sides, both ends played by the test.</summary>
internal sealed class HttpForwarderHarness : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Channel<ScriptedPeer>> _origins = new();
    private readonly CancellationToken _token = TestContext.CurrentContext.CancellationToken;
    private readonly CancellationTokenSource _stop;
    private readonly List<IDisposable> _owned = [];
    private readonly WorkerState _worker = PoolOf.Equal(1).Find("w1")!;
    private readonly StreamAccounting _accounting = new(NullOutcomeSink.Instance, TimeSpan.Zero, TimeProvider.System);
    private readonly TestSocketConnection _server;
    private readonly Task _serving;

    private HttpForwarderHarness(ScriptedPeer client, TestSocketConnection server, HttpServerSettings settings)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(_token);
        Client = client;
        _server = server;
        _owned.Add(client);
        _serving = ServeAsync(settings);
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

    public static async Task<HttpForwarderHarness> StartAsync(TimeSpan? idle = null, TimeSpan? handshake = null)
    {
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        var settings = new HttpServerSettings("c-1", handshake ?? TimeSpan.FromSeconds(30))
        {
            IdleTimeout = idle ?? TimeSpan.FromSeconds(60),
        };
        return new HttpForwarderHarness(new ScriptedPeer(near), new TestSocketConnection(far), settings);
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
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        var peer = new ScriptedPeer(far);
        _owned.Add(peer);
        Origins(request.Target.Host).Writer.TryWrite(peer);
        var attempt = new ConnectAttempt(_worker.Lease(), new DialResult(new TestSocketConnection(near), default, default), TimeSpan.Zero);
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
        await Task.Yield();
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
