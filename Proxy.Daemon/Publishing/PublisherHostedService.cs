using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Events;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Onion.Publishing;
using TorBalancer.Processes;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Publishing;

/// <summary>Runs the publisher: its tor when that is ours, the loop, and the status socket; and says when it is up.</summary>
internal sealed partial class PublisherHostedService(
    TorBalancerOptions options, PublisherServices services, EventHub events, IHostApplicationLifetime lifetime, TimeProvider time,
    ILoggerFactory loggers)
    : IHostedService, IAsyncDisposable
{
    private readonly ILogger _logger = loggers.CreateLogger<PublisherHostedService>();
    private readonly CancellationTokenSource _stop = new();
    private readonly SystemdNotifier _systemd = new();
    private PublisherManagedTor? _tor;
    private PublisherStatusServer? _status;
    private AdminSocketPlace? _place;
    private Task _running = Task.CompletedTask;

    /// <summary>Why the publisher ended by itself; null: it did not.</summary>
    public string? Failure { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var publisher = options.Publisher;
        bool servesChecks = publisher.SocksEndPoint is null
            && options.Instances.Any(static one => one.HealthCheck.Kind != InstanceCheckKind.None);
        if (publisher.IsManaged)
            _tor = PublisherManagedTor.Start(publisher, servesChecks, loggers.CreateLogger<PublisherManagedTor>(), time);

        foreach (var service in services.All)
            Log.Service(_logger, service.Options.Name, service.Identity.Address.ToString(), service.Instances.Count);
        var counters = new PublishCounters();
        var state = new PublisherState(services.All, counters, loggers.CreateLogger<PublisherState>());
        string drained = PublisherPaths.Drained(publisher.DataDirectory, Environment.GetEnvironmentVariable);
        var drains = new DrainMemory(drained, loggers.CreateLogger<DrainMemory>());
        drains.Restore(state);
        var loop = new PublishingLoop(state, AccessAsync, time, loggers.CreateLogger<PublishingLoop>());
        _running = RunAsync(loop);
        await ListenAsync(loop, counters, drains, cancellationToken);
        _systemd.Notify("READY=1");
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _systemd.Notify("STOPPING=1");
        if (_status is not null)
            await _status.StopAsync(cancellationToken);
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stop.IsCancellationRequested)
            await _stop.CancelAsync();
        await _running;
        if (_status is not null)
            await _status.DisposeAsync();
        _status = null;
        _place?.Dispose();
        _place = null;
        if (_tor is not null)
            await _tor.DisposeAsync();
        _tor = null;
    }

    private async Task RunAsync(PublishingLoop loop)
    {
        await Task.Yield();
        try
        {
            await loop.RunAsync(_stop.Token);
        }
        catch (PublisherException failure)
        {
            Failure = failure.Message;
            Log.Refused(_logger, failure.Message);
            lifetime.StopApplication();
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            // A fault of ours: better started anew by the service manager than left half alive.
            Failure = failure.Message;
            Log.Failed(_logger, failure);
            lifetime.StopApplication();
        }
    }

    private Task<PublisherTorAccess> AccessAsync(CancellationToken cancellationToken)
    {
        var publisher = options.Publisher;
        if (_tor is not null)
            return _tor.AccessAsync(cancellationToken);
        var credentials = ControlCredentials.Of(publisher.ControlCookie, publisher.ControlPassword);
        return Task.FromResult(
            new PublisherTorAccess(publisher.ControlEndPoint!, credentials, publisher.SocksEndPoint, IsOurs: false));
    }

    /// <summary>A socket that was asked for by name must be had; the automatic one is a convenience.</summary>
    private async Task ListenAsync(
        PublishingLoop loop, PublishCounters counters, DrainMemory drains, CancellationToken cancellationToken)
    {
        string configured = options.Publisher.Status;
        if (PublisherPaths.StatusSocket(configured, Environment.GetEnvironmentVariable, ProcessSignals.UserId) is not { } path)
            return;
        bool isAuto = configured == "auto";
        bool ownDirectory = isAuto && Environment.GetEnvironmentVariable("RUNTIME_DIRECTORY") is not ['/', ..];
        (_place, string trouble) = await AdminSocket.TakeAsync(path, ownDirectory, cancellationToken);
        if (_place is null)
        {
            if (!isAuto)
                throw new StartupException($"[Publisher] Status cannot listen on {path}: {trouble}");
            Log.NoStatus(_logger, path, trouble);
            return;
        }

        _status = new PublisherStatusServer(loop, counters, drains, events, loggers, _place.BindPath);
        await _status.StartAsync(cancellationToken);
        Log.Status(_logger, path);
    }

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.PublisherService, LogLevel.Information, "Service {Service}: {Address}, balanced over {Instances} instances")]
        public static partial void Service(ILogger logger, string service, string address, int instances);

        [LoggerMessage(HostingEventIds.PublisherStatus, LogLevel.Information, "Status on unix:{Path}")]
        public static partial void Status(ILogger logger, string path);

        [LoggerMessage(HostingEventIds.PublisherNoStatus, LogLevel.Warning, "No status socket at {Path}: {Trouble}")]
        public static partial void NoStatus(ILogger logger, string path, string trouble);

        [LoggerMessage(HostingEventIds.PublisherRefused, LogLevel.Error, "The publisher ends: {Reason}")]
        public static partial void Refused(ILogger logger, string reason);

        [LoggerMessage(HostingEventIds.PublisherFailed, LogLevel.Critical, "The publisher failed")]
        public static partial void Failed(ILogger logger, Exception failure);
    }
}
