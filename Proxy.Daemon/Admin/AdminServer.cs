using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Admin.Fetch;
using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// The web server of the admin API. It starts from an empty builder: nothing that stands in the environment
/// (ASPNETCORE_URLS) or in the working directory (appsettings.json) may open another address.
/// </summary>
internal sealed class AdminServer : IAsyncDisposable
{
    private const int MaxBody = 1024 * 1024;
    private const int MaxConnections = 256;

    private readonly WebApplication _application;
    private readonly CancellationTokenSource _stopping = new();
    private volatile bool _refusesFetches;

    public AdminServer(AdminViews views, AdminCommands commands, FetchEngine fetch, ILoggerFactory loggers, IPEndPoint? address, string? socketPath)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "torbalancer", ContentRootPath = "/" });
        builder.WebHost.UseKestrelCore();
        builder.WebHost.UseSockets(static sockets => sockets.CreateBoundListenSocket = Bind);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBody;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            if (address is not null)
                kestrel.Listen(address, static listen => listen.Protocols = HttpProtocols.Http1);
            if (socketPath is not null)
                kestrel.ListenUnixSocket(socketPath, static listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<ILoggerFactory>(new QuietLoggerFactory(loggers));
        builder.Services.AddSingleton<IHostLifetime>(new InnerLifetime());
        _application = builder.Build();

        var logger = loggers.CreateLogger<AdminServer>();
        _application.Use((context, next) => AdminErrors.InvokeAsync(context, next, logger));
        _application.Use(AdminGuard.InvokeAsync);
        _application.UseRouting();
        _application.Use(OptionsAsync);
        new AdminRoutes(views, commands, fetch, () => _refusesFetches, _stopping.Token).Map(_application);
    }

    /// <summary>The address that is listened on, with its real port; null when there is none.</summary>
    public IPEndPoint? Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses
        .Select(static text => IPEndPoint.TryParse(text.Replace("http://", "", StringComparison.Ordinal), out var endPoint) ? endPoint : null)
        .FirstOrDefault(static endPoint => endPoint is not null);

    /// <summary>Throws <see cref="StartupException"/> naming the key whose address cannot be had.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => _application.StartAsync(cancellationToken);

    /// <summary>New fetches are answered with 503 from now on; those under way go on.</summary>
    public void RefuseFetches() => _refusesFetches = true;

    /// <summary>Fetches that are under way are answered with 503; then the addresses close.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _application.StopAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested)
            await _stopping.CancelAsync();
        await _application.DisposeAsync();
        _stopping.Dispose();
    }

    /// <summary>OPTIONS is told what there is (RFC 9110, section 9.3.7) and, without CORS headers, grants nothing.</summary>
    private static async Task OptionsAsync(HttpContext context, RequestDelegate next)
    {
        // Routing answers a known path with a wrong method through an endpoint of its own, which fills in Allow.
        await next(context);
        if (HttpMethods.IsOptions(context.Request.Method) && context.Response is { HasStarted: false, StatusCode: StatusCodes.Status405MethodNotAllowed } response)
            response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static Socket Bind(EndPoint endPoint)
    {
        string key = endPoint is UnixDomainSocketEndPoint ? "Socket" : "Address";
        try
        {
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
            if (endPoint is UnixDomainSocketEndPoint)
                File.SetUnixFileMode(endPoint.ToString()!, AdminSocket.Mode);
            return socket;
        }
        catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"[Admin] {key} cannot listen on {endPoint}: {failure.Message}", failure);
        }
    }
}
