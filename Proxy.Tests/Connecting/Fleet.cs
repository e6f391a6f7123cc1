using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>Scripted workers behind a connector, without listeners.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    private readonly RetryConnector _connector;

    private Fleet(List<FakeTorWorker> workers, WorkerPool pool, RetryConnector connector)
    {
        Workers = workers;
        Pool = pool;
        _connector = connector;
    }

    public List<FakeTorWorker> Workers { get; }

    public WorkerPool Pool { get; }

    public static Task<Fleet> StartAsync(
        int count, Action<FakeTorWorker>? configure = null, ConnectOptions? options = null, SelectionOptions selection = default,
        TimeProvider? time = null)
    {
        var workers = Enumerable.Range(0, count).Select(_ => new FakeTorWorker()).ToList();
        if (configure is not null)
            workers.ForEach(configure);
        var pool = new WorkerPool();
        pool.Apply([.. workers.Select(static (worker, i) => new WorkerModel($"worker-{i + 1:00}", worker.EndPoint))]);
        var connector = ConnectorOf.Selector(SelectorOf.Pool(pool, 1, selection, time), options, time);
        return Task.FromResult(new Fleet(workers, pool, connector));
    }

    public Task<ConnectOutcome> ConnectAsync(string host, CancellationToken token, string mode = "round_robin")
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out var target), Is.True);
        var request = new ProxyRequest(ClientProtocol.Socks5, ProxyCommand.Connect, target, null);
        var plan = new ConnectPlan(request, new SelectionRequest(mode, 0), IsolationToken.None, Session: null, ClearnetRoute.Socks);
        return _connector.ConnectAsync(plan, token).AsTask();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in Workers)
            await worker.DisposeAsync();
    }
}
