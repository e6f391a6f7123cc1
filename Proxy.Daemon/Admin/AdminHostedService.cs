using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Admin.Events;
using TorBalancer.Admin.Explain;
using TorBalancer.Admin.Fetch;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reload;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Processes;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// Runs the admin API beside the proxy. It starts after the listeners are open, and nothing of the web server is loaded
/// before that, or at all when it is turned off. It stops after the proxy has drained.
/// </summary>
internal sealed partial class AdminHostedService(
    IServiceProvider services, TorBalancerOptions options, ILoggerFactory loggers, ILogger<AdminHostedService> logger)
    : IHostedLifecycleService, IHandOverPart, IAsyncDisposable
{
    private const string Auto = "auto";

    /// <summary>What the socket of the command line is called to who takes over; the address is called by its key.</summary>
    private const string SocketName = "Socket", AddressName = "Address";

    private readonly Predecessor? _predecessor = services.GetService<Predecessor>();
    private bool _isLeft;

    private AdminServer? _server;
    private AdminSocketPlace? _place;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        var admin = options.Admin;
        var address = admin.Address;
        bool withSocket = true;
        while (true)
        {
            if (withSocket)
                await TakePlaceAsync(admin, cancellationToken);
            try
            {
                await StartAsync(address, cancellationToken);
                _predecessor?.WhenOurs(Resume);
                return;
            }
            catch (AdminBindException failure) when (failure.IsSocket ? admin.Socket == Auto : !admin.IsAddressConfigured)
            {
                // A second daemon on one machine, most likely. Its clients need it more than its operator needs what nobody named.
                if (failure.IsSocket)
                    Log.SocketSkipped(logger, _place!.Path, failure.InnerException!.Message);
                else
                    Log.AddressSkipped(logger, failure.Message);
                await DisposeAsync();
                (address, withSocket) = failure.IsSocket ? (address, false) : (null, withSocket);
            }
        }
    }

    /// <summary>
    /// The proxy takes no new clients from here on, so no new fetches are begun either; those that come over a connection from before a
    /// takeover are its last.
    /// </summary>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (!_isLeft)
            _server?.RefuseFetches();
        return Task.CompletedTask;
    }

    public IReadOnlyList<(TakeoverDescriptor What, int Descriptor)> Descriptors =>
    [
        .. (_server?.Listeners ?? []).Select(one => (
            new TakeoverDescriptor(
                TakeoverKinds.Admin, one.Configured is IPEndPoint ? AddressName : SocketName,
                one.Configured is IPEndPoint ? one.Configured.ToString()! : _place!.Path, OwnsFile: one.Configured is not IPEndPoint),
            (int)one.Listener.Socket.SafeHandle.DangerousGetHandle())),
    ];

    public async ValueTask PauseAsync()
    {
        foreach (var (_, listener) in _server?.Listeners ?? [])
            await listener.PauseAsync();
    }

    public void Resume()
    {
        foreach (var (_, listener) in _server?.Listeners ?? [])
            listener.Resume();
    }

    public async ValueTask LeaveAsync(TakeoverReady successor, int processId)
    {
        _isLeft = true;
        if (_server is not null)
            await _server.LeaveListenersAsync();
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => _server?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _server = null;
        _place?.Dispose();
        _place = null;
    }

    private async Task StartAsync(IPEndPoint? address, CancellationToken cancellationToken)
    {
        if (address is null && _place is null)
            return;
        var running = services.GetRequiredService<RunningConfiguration>();
        var (certificate, chain) = LoadCertificate(options.Admin.Tls);
        _server = new AdminServer(
            new AdminServices
            {
                Views = services.GetRequiredService<AdminViews>(),
                Blacklist = services.GetRequiredService<BlacklistViews>(),
                Explainer = services.GetRequiredService<Explainer>(),
                Events = services.GetRequiredService<EventHub>(),
                Commands = services.GetRequiredService<AdminCommands>(),
                Fetch = services.GetRequiredService<FetchEngine>(),
                Configuration = () => ConfigView.From(running.Current),
                HandOver = services.GetService<HandOver>(),
            },
            new AdminEndPoints(address, _place?.BindPath)
            {
                Token = options.Admin.Token,
                Certificate = certificate,
                Chain = chain,
                Inherited = _predecessor is null ? null : Inherited,
            },
            loggers, services.GetRequiredService<DescriptorBudget>());
        await _server.StartAsync(cancellationToken);
        if (_server.Address is { } bound)
        {
            Log.Listening(logger, certificate is null ? bound.ToString() : $"https://{bound}");
            if (certificate is null && !IPAddress.IsLoopback(bound.Address))
                Log.NotEncrypted(logger, bound.ToString());
        }

        if (_place is not null)
            Log.Listening(logger, "unix:" + _place.Path);
    }

    private static (X509Certificate2? Certificate, X509Certificate2Collection? Chain) LoadCertificate(CertificateFiles? files)
    {
        if (files is null)
            return default;
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(files.Certificate);
            return (X509Certificate2.CreateFromPemFile(files.Certificate, files.Key), chain);
        }
        catch (Exception failure) when (failure is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new StartupException(
                $"[Admin] Tls: no certificate with its key is in {files.Certificate} and {files.Key}: {failure.Message}", failure);
        }
    }

    private InheritedSocket? Inherited(EndPoint endPoint) => endPoint is IPEndPoint
        ? _predecessor!.TakeSocket(TakeoverKinds.Admin, AddressName, endPoint.ToString()!)
        : _predecessor!.TakeSocket(TakeoverKinds.Admin, SocketName, _place!.Path);

    /// <summary>One that was asked for by name must be had; the automatic one is a convenience.</summary>
    private async Task TakePlaceAsync(AdminOptions admin, CancellationToken cancellationToken)
    {
        bool auto = admin.Socket == Auto;
        if (AdminSocket.Resolve(admin.Socket, Environment.GetEnvironmentVariable, ProcessSignals.UserId) is not { } path)
            return;
        bool ownDirectory = auto && Environment.GetEnvironmentVariable("RUNTIME_DIRECTORY") is not ['/', ..];
        bool isInherited = _predecessor?.Has(TakeoverKinds.Admin, SocketName, path) ?? false;
        (_place, string trouble) = await AdminSocket.TakeAsync(path, ownDirectory, cancellationToken, isInherited);
        if (_place is not null)
            return;
        if (!auto)
            throw new StartupException($"[Admin] Socket cannot listen on {path}: {trouble}");
        Log.SocketSkipped(logger, path, trouble);
    }

    private static partial class Log
    {
        [LoggerMessage(AdminEventIds.Listening, LogLevel.Information, "Admin API on {Address}")]
        public static partial void Listening(ILogger logger, string address);

        [LoggerMessage(
            AdminEventIds.NotEncrypted, LogLevel.Warning,
            "The admin API on {Address} is not encrypted: its token can be read on the way. [Admin] Tls = cert.pem, key.pem helps")]
        public static partial void NotEncrypted(ILogger logger, string address);

        [LoggerMessage(
            AdminEventIds.AddressSkipped, LogLevel.Warning, "No admin API over TCP: {Trouble}. Name another [Admin] Address, or none")]
        public static partial void AddressSkipped(ILogger logger, string trouble);

        [LoggerMessage(AdminEventIds.SocketSkipped, LogLevel.Warning, "No socket for the command line at {Path}: {Trouble}")]
        public static partial void SocketSkipped(ILogger logger, string path, string trouble);
    }
}
