using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.DependencyInjection;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Support;

/// <summary>The whole proxy in this process, on a port of its own, in front of the given workers.</summary>
internal sealed class ProxyUnderTest : IAsyncDisposable
{
    private readonly ServiceProvider _provider;

    private ProxyUnderTest(ServiceProvider provider, ListLogger log)
    {
        _provider = provider;
        Log = log;
        HealthEvents = new HeardEvents(provider.GetRequiredService<HealthEvents>());
    }

    public ListLogger Log { get; }

    public ProxyServer Server => _provider.GetRequiredService<ProxyServer>();

    public HealthMonitor Health => _provider.GetRequiredService<HealthMonitor>();

    /// <summary>Anything else that it is made of.</summary>
    public T Get<T>()
        where T : notnull => _provider.GetRequiredService<T>();

    /// <summary>What health has said since the start.</summary>
    public HeardEvents HealthEvents { get; }

    /// <summary>The probes that were made since <see cref="StartProber"/>.</summary>
    public RecordedProbes Probes => (RecordedProbes)_provider.GetRequiredService<IProbeSequence>();

    public RelayWatchService Relays => _provider.GetRequiredService<RelayWatchService>();

    public WorkerPool Pool => _provider.GetRequiredService<WorkerPool>();

    public IPEndPoint Address => Server.Addresses.Select(static a => a.Address).OfType<IPEndPoint>().First();

    /// <param name="control">The control port of every worker.</param>
    public static Task<ProxyUnderTest> StartAsync(
        IEnumerable<EndPoint> workers, Action<TorBalancerOptions>? configure = null, TimeProvider? time = null, EndPoint? control = null) =>
        StartAsync(
            [.. workers.Select((endPoint, index) => new WorkerModel($"worker-{index + 1:00}", endPoint, ControlEndPoint: control))],
            configure, time);

    /// <param name="replace">Called last, to put other parts in place of its own.</param>
    /// <param name="relayTiming">Of the watch over circuits and exits, when it is not to take its usual time.</param>
    public static async Task<ProxyUnderTest> StartAsync(
        IReadOnlyList<WorkerModel> workers, Action<TorBalancerOptions>? configure = null, TimeProvider? time = null,
        RelayWatchTiming? relayTiming = null, Action<IServiceCollection>? replace = null)
    {
        var options = new TorBalancerOptions();
        options.Log.Targets = true;

        // No prober runs here: what connections say of a worker would be held against it for ever. Health has its own tests.
        options.Health.Enabled = false;
        options.Listeners.Add(new ListenerOptions { Name = "main", Address = new IPEndPoint(IPAddress.Loopback, 0) });
        configure?.Invoke(options);

        var services = new ServiceCollection();
        var log = new ListLogger();
        services.AddSingleton<ILoggerFactory>(log);
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        services.AddProxy(options);
        if (time is not null)
            services.AddSingleton(time);
        if (relayTiming is not null)
        {
            services.AddSingleton(provider => new RelayWatchService(
                provider.GetRequiredService<WorkerPool>(), options.Blacklist, static () => 0, provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<RelayWatchService>>(), relayTiming));
        }

        var probes = services.Last(static one => one.ServiceType == typeof(IProbeSequence)).ImplementationFactory!;
        services.AddSingleton<IProbeSequence>(provider => new RecordedProbes((IProbeSequence)probes(provider)));
        replace?.Invoke(services);
        var proxy = new ProxyUnderTest(services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true }), log);
        proxy.Pool.Apply(workers);
        await proxy.Server.StartAsync(options.Listeners.SelectMany(
            listener => new ListenerModel(listener, options.Balancing.Isolation).OfEachPort()));
        return proxy;
    }

    public static Task<ProxyUnderTest> StartAsync(params FakeTorWorker[] workers) =>
        StartAsync(workers.Select(static worker => worker.EndPoint));

    /// <summary>Probes workers from now on, as the daemon does. The options must have health enabled.</summary>
    public void StartProber() => _provider.GetRequiredService<HealthProber>().Start();

    /// <summary>A connection to the proxy.</summary>
    public async Task<NetworkStream> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(Address);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Fails the test when the engine or a connection met an exception that nobody expected.</summary>
    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync();
        Assert.That(
            Log.Entries.Where(static entry => entry.Event.Id is ServerEventIds.EngineFailed or ServerEventIds.ConnectionFailed), Is.Empty);
    }
}
