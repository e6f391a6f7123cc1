using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Processes;
using TorBalancer.Testnet.Dns;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet;

/// <summary>
/// A private Tor network on loopback, made of real tor processes, with clients ("workers") in front and an origin server
/// behind. Nothing of it reaches any other interface. It is laid out first: from then on its ports, names and files are fixed.
/// Disposing it ends every process and removes the directory.
/// </summary>
internal sealed partial class TestNetwork : IAsyncDisposable
{
    private readonly TestNetworkPlan _plan;
    private readonly PortBlock _ports;
    private readonly string _tor;
    private readonly TimeSpan _stepTimeout;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _changing = new(1, 1);
    private ILogger _logger = NullLogger.Instance;
    private TestServices? _services;
    private TestNetworkStarter? _starter;
    private int _disposed;

    private TestNetwork(TestNetworkPlan plan, PortBlock ports, string tor, TimeSpan stepTimeout, TimeProvider time)
    {
        _plan = plan;
        _ports = ports;
        _tor = tor;
        _stepTimeout = stepTimeout;
        _time = time;
    }

    public string Directory => _plan.Directory;

    /// <summary>The clients: <c>worker-01</c> and up, each with SocksPorts and a control socket.</summary>
    public IReadOnlyList<TestNode> Workers => _plan.Workers;

    /// <summary>The exits <c>e01</c> and up. Only they are exits, and they are never guards.</summary>
    public IReadOnlyList<TestNode> Exits => _plan.Exits;

    /// <summary>The relays <c>r01</c> and up. Only they are guards.</summary>
    public IReadOnlyList<TestNode> Relays => _plan.Relays;

    public IReadOnlyList<TestNode> Authorities => _plan.Authorities;

    public IReadOnlyList<TestNode> Nodes => _plan.Nodes;

    /// <summary>
    /// The address of the onion service, <c>.onion</c> included; the origin is on its port 80. Empty until it has started: its tor
    /// makes it.
    /// </summary>
    public string OnionAddress { get; private set; } = "";

    /// <summary>The origin's name. At exit K it resolves to 127.0.31.K.</summary>
    public static string OriginName => TestZone.Origin;

    /// <summary>The origin's port at its name and at 127.0.0.1.</summary>
    public int OriginPort => _plan.OriginPort;

    /// <summary>The origin's first page, by its name.</summary>
    public string OriginUrl => string.Create(CultureInfo.InvariantCulture, $"http://{OriginName}:{OriginPort}/");

    /// <summary>A TCP echo server's port at the same addresses.</summary>
    public int EchoPort => _plan.EchoPort;

    /// <summary>A port where connections are refused.</summary>
    public int ClosedPort => _plan.ClosedPort;

    /// <summary>An address that every exit's policy refuses; blocked.test resolves to it.</summary>
    public static IPAddress BlockedAddress => TestZone.BlockedAddress;

    /// <summary>A port of the Internet that the first exit refuses and the others take.</summary>
    public const int PortOfOtherExits = 26;

    /// <summary>What a torrc needs to make another tor a client of this network (no ports, no data directory).</summary>
    public IReadOnlyList<string> ClientTorrc { get; private set; } = [];

    /// <summary>How far relays and exits are away, one way.</summary>
    public TimeSpan Latency => _plan.Latency;

    /// <summary>The latest names that its exits have asked for, in any letter case.</summary>
    public IReadOnlyList<string> NamesAsked => _services?.Questions.Names ?? [];

    /// <summary>How long the start took.</summary>
    public TimeSpan StartDuration { get; private set; }

    /// <summary>Resident memory of all nodes together, in bytes.</summary>
    public long ResidentBytes => Nodes.Where(n => n.State != TestNodeState.Stopped).Sum(n => ProcessSignals.ResidentBytes(n.ProcessId));

    /// <summary>
    /// Claims ports and a directory for a network that <see cref="StartAsync(IProgress{TestNetworkProgress}, ILogger, CancellationToken)"/>
    /// then starts. Throws <see cref="TestNetworkException"/> when it cannot have them, or there is no tor; nothing is left behind then.
    /// </summary>
    public static TestNetwork LayOut(TestNetworkOptions options, TimeProvider? time = null)
    {
        options.Validate();
        string tor = options.TorPath ?? Executables.Find("tor") ?? throw new TestNetworkException(
            "tor was not found; install it, or name its path");
        string directory = TestNetworkDirectory.Create(options.Directory);
        PortBlock? ports = null;
        try
        {
            ports = PortBlock.Claim();
            var plan = TestNetworkPlan.Create(options, directory, ports);
            return new TestNetwork(plan, ports, tor, options.StepTimeout, time ?? TimeProvider.System);
        }
        catch
        {
            TestNetworkDirectory.Remove(directory);
            ports?.Dispose();
            throw;
        }
    }

    /// <summary>Lays out a network and starts it.</summary>
    public static async Task<TestNetwork> StartAsync(
        TestNetworkOptions options,
        IProgress<TestNetworkProgress>? progress = null,
        ILogger? logger = null,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default)
    {
        var network = LayOut(options, time);
        await network.StartAsync(progress, logger, cancellationToken);
        return network;
    }

    /// <summary>
    /// Starts it, once, and returns when all of it serves, usually after 20 s. Throws <see cref="TestNetworkException"/> naming the
    /// node that failed; it is disposed then, and also when it is cancelled.
    /// </summary>
    public async Task StartAsync(IProgress<TestNetworkProgress>? progress, ILogger? logger, CancellationToken cancellationToken)
    {
        _logger = logger ?? _logger;
        try
        {
            await StartNodesAsync(progress, cancellationToken);
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;

        // Clients first: a relay that goes before them only makes them log and retry.
        await Task.WhenAll(_plan.Workers.Append(_plan.OnionService).Select(n => n.StopAsync()));
        await Task.WhenAll(_plan.Nodes.Where(n => n.IsRelay).Select(n => n.StopAsync()));
        await Task.WhenAll(_watches.Values);
        if (_services is not null)
            await _services.DisposeAsync();
        _ports.Dispose();
        _changing.Dispose();
        TestNetworkDirectory.Remove(Directory);
        Log.Stopped(_logger, Directory);
    }

    private async Task StartNodesAsync(IProgress<TestNetworkProgress>? progress, CancellationToken cancellationToken)
    {
        long begin = _time.GetTimestamp();
        void Report(string text)
        {
            var step = new TestNetworkProgress(_time.GetElapsedTime(begin), text);
            Log.Progress(_logger, step.Elapsed.TotalSeconds, text);
            progress?.Report(step);
        }

        _starter = new TestNetworkStarter(_plan, _tor, _stepTimeout, _time, Report);
        IReadOnlyList<string> authorities = await _starter.PrepareAsync(cancellationToken);
        _services = await TestServices.StartAsync(_plan, _time);
        await _starter.StartAsync(authorities, cancellationToken);
        ClientTorrc = _starter.Torrc!.Client;
        OnionAddress = await _starter.ReadOnionAddressAsync(cancellationToken);
        foreach (TestNode node in Nodes)
            Watch(node);
        StartDuration = _time.GetElapsedTime(begin);
        Log.Ready(_logger, StartDuration.TotalSeconds, Nodes.Count, Directory);
    }
}
