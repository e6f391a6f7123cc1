using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Tor;
using TorBalancer.Onion.Publishing;
using TorBalancer.Processes;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Publishing;

/// <summary>
/// The publisher's own tor: started, watched and stopped as managed workers are. It has no SocksPort, or one in its private directory when
/// health checks need it; nobody else is told of that.
/// </summary>
internal sealed class PublisherManagedTor : IManagedWorkerSink, IAsyncDisposable
{
    private readonly ManagedTorWorkers _tor;
    private readonly EndPoint? _socks;
    private readonly Lock _lock = new();
    private TaskCompletionSource<PublisherTorAccess> _ready = New();

    private PublisherManagedTor(PublisherOptions options, string executable, ManagedWorkerPaths paths, ILogger logger, TimeProvider time)
    {
        _socks = options.SocksEndPoint;
        var managed = new ManagedWorkersOptions { Count = 1, ExtraTorrc = options.ExtraTorrc, TorPath = options.TorPath };
        _tor = new ManagedTorWorkers(managed, executable, paths, this, logger, time);
    }

    /// <summary>Starts it. Throws <see cref="StartupException"/> when there is no tor, or its directory cannot be had.</summary>
    /// <param name="servesChecks">Checks go through it.</param>
    public static PublisherManagedTor Start(PublisherOptions options, bool servesChecks, ILogger logger, TimeProvider time)
    {
        string executable = Executables.FindTor(options.TorPath)
            ?? throw new StartupException(
                $"no tor was found ([Publisher] TorPath = {options.TorPath}): install tor, or give the ControlPort of one");
        var tor = new PublisherManagedTor(
            options, executable, PublisherPaths.Tor(options.DataDirectory, servesChecks, Environment.GetEnvironmentVariable), logger, time);
        try
        {
            tor._tor.Start();
            return tor;
        }
        catch (ManagedWorkersException failure)
        {
            throw new StartupException(failure.Message.Replace("[ManagedWorkers]", "[Publisher]", StringComparison.Ordinal), failure);
        }
    }

    /// <summary>How it is reached, once it is up.</summary>
    public Task<PublisherTorAccess> AccessAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
            return _ready.Task.WaitAsync(cancellationToken);
    }

    void IManagedWorkerSink.Starting(string id, BootstrapStatus status)
    {
    }

    void IManagedWorkerSink.Ready(string id, EndPoint? socks, EndPoint control, string cookiePath)
    {
        lock (_lock)
            _ready.TrySetResult(new PublisherTorAccess(control, new ControlCredentials(cookiePath), _socks ?? socks, IsOurs: true));
    }

    void IManagedWorkerSink.Down(string id, string reason)
    {
        lock (_lock)
        {
            if (_ready.Task.IsCompleted)
                _ready = New();
        }
    }

    public ValueTask DisposeAsync() => _tor.DisposeAsync();

    private static TaskCompletionSource<PublisherTorAccess> New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
