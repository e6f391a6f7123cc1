using System.Collections.Concurrent;
using System.Threading.Channels;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Protocols.Http;

/// <summary>One client connection served as the server does it, real sockets on both sides, both ends played by the test.</summary>
internal sealed class HttpForwarderHarness : IAsyncDisposable, IUpstreamSource, IHttpExchangeObserver
{
    private readonly ConcurrentDictionary<string, Channel<ScriptedPeer>> _origins = new();
    private readonly CancellationToken _token = TestContext.CurrentContext.CancellationToken;
    private readonly CancellationTokenSource _stop;
    private readonly List<IDisposable> _owned = [];
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

    public TaskCompletionSource<HttpForwardOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<HttpForwardOutcome> EndedAsync() => Outcome.Task.WaitAsync(_token);

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

    public async ValueTask<UpstreamResult> ConnectAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        Connects.Add(request);
        await Delay(cancellationToken);
        var error = Fail(request);
        if (error.IsError)
            return new UpstreamResult(null, error, 2, "w2");
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        var peer = new ScriptedPeer(far);
        _owned.Add(peer);
        Origins(request.Target.Host).Writer.TryWrite(peer);
        return new UpstreamResult(new Upstream(new TestSocketConnection(near)), ProxyError.None, 1, "w1");
    }

    public bool MayReuse(ProxyRequest earlier, ProxyRequest next) => earlier.Target == next.Target && Equals(earlier.Credentials, next.Credentials);

    public void OnExchange(in HttpExchange exchange) => Exchanges.Writer.TryWrite(exchange);

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
            using var handshake = new HttpServerHandshake(_server, settings, c => Authenticate(c), this, TimeProvider.System);
            var first = await handshake.ReadRequestAsync(_stop.Token);
            var outcome = first.Kind == HttpServerRequestKind.Forward
                ? await new HttpForwarder(handshake, this, Counters).RunAsync(first, _stop.Token)
                : new HttpForwardOutcome(
                    first.Kind == HttpServerRequestKind.Connect ? HttpForwardOutcomeKind.Connect : HttpForwardOutcomeKind.Ended, first.Request, null, first.Error)
                { Farewell = first.Farewell };
            HeadFields = handshake.Head.FieldCount;
            if (outcome.Kind == HttpForwardOutcomeKind.Tunnel)
                await EchoTunnelAsync(outcome.Upstream!);
            else if (outcome.Kind == HttpForwardOutcomeKind.Connect)
                await handshake.ReplyConnectedAsync(_stop.Token);
            var lingering = new LingeringClose(TimeProvider.System);
            if (outcome.Farewell == ClientFarewell.Finish)
                await lingering.FinishAsync(_server, default, _stop.Token);
            else if (outcome.Farewell == ClientFarewell.Reset)
                await lingering.BeforeResetAsync(_server, default, _stop.Token);
            if (outcome.Farewell == ClientFarewell.Reset)
                _server.Abort();
            Outcome.TrySetResult(outcome);
            if (outcome.Kind == HttpForwardOutcomeKind.Ended)
                await _server.DisposeAsync();
        }
        catch (OperationCanceledException)
        {
            Outcome.TrySetCanceled();
        }
        catch (Exception e)
        {
            Outcome.TrySetException(e);
        }
    }

    /// <summary>A tunnel for tests: what each side has buffered, then what it sends, until it finishes.</summary>
    private async Task EchoTunnelAsync(IUpstream upstream)
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

    private sealed class Upstream(TransportConnection connection) : IUpstream
    {
        public TransportConnection Connection => connection;

        public string WorkerId => "w1";

        public int Attempts => 1;

        public ValueTask DisposeAsync() => connection.DisposeAsync();
    }
}
