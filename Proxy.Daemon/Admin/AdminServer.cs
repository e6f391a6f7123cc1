using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Events;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Interop;
using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// The web server of the admin API. It starts from an empty builder: nothing that stands in the environment
/// (ASPNETCORE_URLS) or in the working directory (appsettings.json) may open another address.
/// </summary>
internal sealed class AdminServer : IAsyncDisposable
{
    // Of each address, in the usual case; where descriptors are few, all addresses together take no more than a quarter of those that are
    // kept.
    private const int MaxConnections = 256, LeastConnections = 4;

    /// <summary>For a whole head. Clients are on this machine, or at its end of a tunnel.</summary>
    private static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan KeepAliveTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Least pace of a body, after 5 s that are given to it.</summary>
    private static readonly MinDataRate BodyRate = new(4 * 1024, TimeSpan.FromSeconds(5));

    /// <summary>Least pace at which an answer is read, after 10 s that are given to it: until then it stands in memory.</summary>
    private static readonly MinDataRate AnswerRate = new(64 * 1024, TimeSpan.FromSeconds(10));

    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(3);

    private readonly WebApplication _application;
    private readonly AdminListener.Factory _listeners;
    private volatile bool _isLeft;
    private readonly CancellationTokenSource _stopping = new();
    private volatile bool _refusesFetches;

    public AdminServer(
        AdminServices services, AdminEndPoints endPoints, ILoggerFactory loggers, DescriptorBudget? descriptors = null,
        AdminEventTiming? timing = null)
    {
        var (address, socketPath) = (endPoints.Address, endPoints.SocketPath);
        descriptors ??= DescriptorBudget.Unlimited();
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ApplicationName = "torbalancer", ContentRootPath = "/" });
        builder.WebHost.UseKestrelCore();
        int addresses = (address is null ? 0 : 1) + (socketPath is null ? 0 : 1);
        int places = Math.Clamp(descriptors.Reserve / 4 / Math.Max(addresses, 1), LeastConnections, MaxConnections);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = AdminBody.MaxLength;
            kestrel.Limits.RequestHeadersTimeout = HeadTimeout;
            kestrel.Limits.KeepAliveTimeout = KeepAliveTimeout;
            kestrel.Limits.MinRequestBodyDataRate = BodyRate;
            kestrel.Limits.MinResponseDataRate = AnswerRate;
            if (address is not null)
                kestrel.Listen(address, listen => Configure(listen, places, endPoints));
            if (socketPath is not null)
                kestrel.ListenUnixSocket(socketPath, listen => Configure(listen, places, null));
        });
        _listeners = new AdminListener.Factory(
            Bind, descriptors, TimeProvider.System, new QuietLoggerFactory(loggers).CreateLogger("Kestrel"))
        {
            Inherited = endPoints.Inherited,
        };
        builder.Services.AddSingleton<IConnectionListenerFactory>(_listeners);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<ILoggerFactory>(new QuietLoggerFactory(loggers));
        builder.Services.AddSingleton<IHostLifetime>(new InnerLifetime());
        _application = builder.Build();

        var logger = loggers.CreateLogger<AdminServer>();
        _application.Use(AdminPlace.InvokeAsync);
        _application.Use((context, next) => AdminErrors.InvokeAsync(context, next, logger));
        _application.Use(AdminGuard.InvokeAsync);
        _application.Use(AdminPage.InvokeAsync);
        if (endPoints.Token.Length > 0)
            _application.Use(new AdminToken(endPoints.Token).InvokeAsync);
        _application.UseRouting();
        _application.Use(LeaveAsync);
        _application.Use(AskedItselfAsync);
        _application.Use(AdminQuery.InvokeAsync);
        new AdminRoutes(services.Views, services.Commands, services.Fetch, () => _refusesFetches, _stopping.Token).Map(_application);
        new AdminSteeringRoutes(services).Map(_application);
        new AdminEventRoutes(services.Events, EventKinds.All, timing ?? AdminEventTiming.Default, logger, _stopping.Token)
            .Map(_application);
        if (services.HandOver is { } handOver)
            new TakeoverRoute(handOver).Map(_application);
        new AdminDescription(() => Routes).Map(_application);
    }

    /// <summary>All routes of the API.</summary>
    public IEnumerable<RouteEndpoint> Routes =>
        ((IEndpointRouteBuilder)_application).DataSources.SelectMany(static source => source.Endpoints).OfType<RouteEndpoint>();

    /// <summary>The address that is listened on, with its real port; null when there is none.</summary>
    public IPEndPoint? Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses
        .Select(
            static text => AddressLiteral.TryParseEndPoint(text.AsSpan(text.IndexOf("://", StringComparison.Ordinal) + 3), out var endPoint)
                ? endPoint : null)
        .FirstOrDefault(static endPoint => endPoint is not null);

    /// <summary>Throws <see cref="StartupException"/> naming the key whose address cannot be had.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => _application.StartAsync(cancellationToken);

    /// <summary>Those that are open, with the addresses that were asked for.</summary>
    public IReadOnlyList<(EndPoint Configured, AdminListener Listener)> Listeners => _listeners.Made;

    /// <summary>
    /// After their pauses: the listeners are another process's from now on. Connections that live get the answers to what they have asked,
    /// and close.
    /// </summary>
    public async Task LeaveListenersAsync()
    {
        _isLeft = true;
        foreach (var (_, listener) in _listeners.Made)
            await listener.LeaveAsync();
    }

    /// <summary>New fetches are answered with 503 from now on; those under way go on.</summary>
    public void RefuseFetches() => _refusesFetches = true;

    /// <summary>
    /// Fetches that are under way are answered with 503; then the addresses close. A client that does not read its answer, or does
    /// not send the rest of its request, is cut after <see cref="StopLimit"/>.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StopLimit);
        try
        {
            await _application.StopAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            // What was cut is gone all the same, and no reason to end with an error.
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested)
            await _stopping.CancelAsync();
        await _application.DisposeAsync();
        _stopping.Dispose();
    }

    /// <summary>
    /// OPTIONS is told what there is (RFC 9110, section 9.3.7) and, without CORS headers, grants nothing. "OPTIONS *" asks
    /// whether the server is there, and so does "OPTIONS /", which load balancers send unless they are told otherwise.
    /// </summary>
    private static async Task AskedItselfAsync(HttpContext context, RequestDelegate next)
    {
        // Routing answers a known path with a wrong method through an endpoint of its own, which fills in Allow.
        string method = context.Request.Method;
        if (HttpMethods.IsOptions(method) && AdminGuard.IsServerItself(context))
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            context.Response.Headers.Allow = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";
            return;
        }

        await next(context);
        if (HttpMethods.IsOptions(method)
            && context.Response is { HasStarted: false, StatusCode: StatusCodes.Status405MethodNotAllowed } response)
            response.StatusCode = StatusCodes.Status204NoContent;
    }

    /// <summary>What another process serves by now is to be asked of it: over another connection.</summary>
    private Task LeaveAsync(HttpContext context, RequestDelegate next)
    {
        if (_isLeft)
            context.Response.Headers.Connection = "close";
        return next(context);
    }

    /// <summary>Each address has its own places, so that who takes those of one does not close the other.</summary>
    /// <param name="limit">Places.</param>
    /// <param name="secured">Whose certificate is to be shown; null: nobody's.</param>
    private static void Configure(ListenOptions listen, int limit, AdminEndPoints? secured)
    {
        listen.Protocols = HttpProtocols.Http1;
        var places = new AdminPlaces(limit);
        listen.Use(next => connection => places.RunAsync(connection, next));
        listen.Use(static next => connection => AdminFinishedClients.ServeAsync(connection, next));
        if (secured?.Certificate is { } certificate)
        {
            // Offline: neither a missing issuer nor a proof of validity (OCSP) is fetched, for which a name would be looked up here.
            var tls = new SslServerAuthenticationOptions
            {
                ServerCertificateContext = SslStreamCertificateContext.Create(certificate, secured.Chain, offline: true),
                ApplicationProtocols = [SslApplicationProtocol.Http11],
            };
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                OnConnection = _ => ValueTask.FromResult(tls),
                HandshakeTimeout = HeadTimeout,
            });
        }
    }

    private static Socket Bind(EndPoint endPoint)
    {
        string key = endPoint is UnixDomainSocketEndPoint ? "Socket" : "Address";
        try
        {
            return endPoint is UnixDomainSocketEndPoint
                ? AdminSocket.Bind(endPoint.ToString()!)
                : SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
        }
        catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
        {
            throw new AdminBindException($"[Admin] {key} cannot listen on {endPoint}: {failure.Message}", failure)
            {
                IsSocket = endPoint is UnixDomainSocketEndPoint,
            };
        }
    }
}
