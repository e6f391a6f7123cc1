using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Daemon.Interop;
using TorBalancer.Daemon.Testnet.Dns;
using TorBalancer.Daemon.Testnet.Nodes;

namespace TorBalancer.Daemon.Testnet;

/// <summary>
/// A private Tor network on loopback, made of real tor processes, with clients ("workers") in front and an origin server
/// behind. Nothing of it reaches any other interface. Disposing it ends every process and removes the directory.
/// </summary>
internal sealed partial class TestNetwork : IAsyncDisposable
{
    private readonly TestNetworkPlan _plan;
    private readonly PortBlock _ports;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _changing = new(1, 1);
    private TestServices? _services;
    private TestNetworkStarter? _starter;
    private int _disposed;

    private TestNetwork(TestNetworkPlan plan, PortBlock ports, ILogger logger, TimeProvider time)
    {
        _plan = plan;
        _ports = ports;
        _logger = logger;
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

    /// <summary>The address of the onion service, <c>.onion</c> included; the origin is on its port 80.</summary>
    public string OnionAddress { get; private set; } = "";

    /// <summary>The origin's name. At exit K it resolves to 127.0.31.K.</summary>
    public static string OriginName => TestZone.Origin;

    /// <summary>The origin's port at its name and at 127.0.0.1.</summary>
    public int OriginPort => _plan.OriginPort;

    /// <summary>A TCP echo server's port at the same addresses.</summary>
    public int EchoPort => _plan.EchoPort;

    /// <summary>A port where connections are refused.</summary>
    public int ClosedPort => _plan.ClosedPort;

    /// <summary>An address that every exit's policy refuses; blocked.test resolves to it.</summary>
    public static IPAddress BlockedAddress => TestZone.BlockedAddress;

    /// <summary>What a torrc needs to make another tor a client of this network (no ports, no data directory).</summary>
    public IReadOnlyList<string> ClientTorrc { get; private set; } = [];

    /// <summary>The latest names that its exits have asked for, in any letter case.</summary>
    public IReadOnlyList<string> NamesAsked => _services?.Questions.Names ?? [];

    /// <summary>How long the start took.</summary>
    public TimeSpan StartDuration { get; private set; }

    /// <summary>Resident memory of all nodes together, in bytes.</summary>
    public long ResidentBytes => Nodes.Where(n => n.State != TestNodeState.Stopped).Sum(n => ProcessSignals.ResidentBytes(n.ProcessId));

    /// <summary>
    /// Starts a network and returns when all of it serves, usually after 20 s. Throws <see cref="TestNetworkException"/>
    /// naming the node that failed; nothing is left behind then, nor when it is cancelled.
    /// </summary>
    public static async Task<TestNetwork> StartAsync(
        TestNetworkOptions options,
        IProgress<TestNetworkProgress>? progress = null,
        ILogger? logger = null,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default)
    {
        options.Validate();
        time ??= TimeProvider.System;
        string tor = options.TorPath ?? Executables.Find("tor") ?? throw new TestNetworkException("tor was not found; install it, or name its path");
        string directory = TestNetworkDirectory.Create(options.Directory);
        PortBlock? ports = null;
        TestNetwork? network = null;
        try
        {
            ports = PortBlock.Claim();
            network = new TestNetwork(TestNetworkPlan.Create(options, directory, ports), ports, logger ?? NullLogger.Instance, time);
            await network.StartAsync(tor, options.StepTimeout, progress, cancellationToken);
            return network;
        }
        catch
        {
            if (network is not null)
                await network.DisposeAsync();
            else
                TestNetworkDirectory.Remove(directory);
            ports?.Dispose();
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

    private async Task StartAsync(string tor, TimeSpan stepTimeout, IProgress<TestNetworkProgress>? progress, CancellationToken cancellationToken)
    {
        long begin = _time.GetTimestamp();
        void Report(string text)
        {
            var step = new TestNetworkProgress(_time.GetElapsedTime(begin), text);
            Log.Progress(_logger, step.Elapsed.TotalSeconds, text);
            progress?.Report(step);
        }

        _starter = new TestNetworkStarter(_plan, tor, stepTimeout, _time, Report);
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
