using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Events;
using TorBalancer.Admin.Metrics;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Interop;
using TorBalancer.Onion.Publishing;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Publishing;

/// <summary>
/// The web server of the publisher's unix socket, with the manners of the admin API. Clients of Onionbalance's status socket, which say
/// nothing and wait, get its JSON instead.
/// </summary>
internal sealed class PublisherStatusServer : IAsyncDisposable
{
    private const int MaxConnections = 32, MaxBody = 64 * 1024;

    private static readonly string[] Read = ["GET", "HEAD"], Write = ["POST"];

    /// <summary>Who speaks HTTP sends a request at once.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(3);

    private readonly PublishingLoop _loop;
    private readonly PublishCounters _counters;
    private readonly DrainMemory _drains;
    private readonly WebApplication _application;
    private readonly CancellationTokenSource _stopping = new();

    public PublisherStatusServer(
        PublishingLoop loop, PublishCounters counters, DrainMemory drains, EventHub events, ILoggerFactory loggers, string socketPath)
    {
        (_loop, _counters, _drains) = (loop, counters, drains);
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ApplicationName = "torbalancer", ContentRootPath = "/" });
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBody;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(5);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(30);
            kestrel.ListenUnixSocket(socketPath, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                var places = new AdminPlaces(MaxConnections);
                listen.Use(next => connection => places.RunAsync(connection, next));
                listen.Use(next => connection => GreetAsync(connection, next));
                listen.Use(static next => connection => AdminFinishedClients.ServeAsync(connection, next));
            });
        });
        builder.Services.AddSingleton<IConnectionListenerFactory>(
            new AdminListener.Factory(
                Bind, DescriptorBudget.Unlimited(), TimeProvider.System, new QuietLoggerFactory(loggers).CreateLogger("Kestrel")));
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<ILoggerFactory>(new QuietLoggerFactory(loggers));
        builder.Services.AddSingleton<IHostLifetime>(new InnerLifetime());
        _application = builder.Build();

        var logger = loggers.CreateLogger<PublisherStatusServer>();
        _application.Use(AdminPlace.InvokeAsync);
        _application.Use((context, next) => AdminErrors.InvokeAsync(context, next, logger));
        _application.Use(AdminGuard.InvokeAsync);
        _application.UseRouting();
        Map(_application);
        new AdminEventRoutes(events, PublisherEventKinds.All, AdminEventTiming.Default, logger, _stopping.Token).Map(_application);
    }

    /// <summary>Throws <see cref="StartupException"/> when the socket cannot be had.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => _application.StartAsync(cancellationToken);

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // Who follows events would be waited for.
        await _stopping.CancelAsync();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StopLimit);
        try
        {
            await _application.StopAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            // What was cut is gone all the same.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _stopping.Dispose();
    }

    private void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/api/v1/onion", Read, ShowAsync);
        routes.MapMethods("/metrics", Read, MeasureAsync);
        routes.MapMethods("/api/v1/onion/{service}/instances/{instance}/drain", Write, context => DrainAsync(context, isDrained: true));
        routes.MapMethods("/api/v1/onion/{service}/instances/{instance}/enable", Write, context => DrainAsync(context, isDrained: false));
    }

    private async Task ShowAsync(HttpContext context)
    {
        var view = await ViewAsync(context.RequestAborted);
        await context.WriteJsonAsync(view, PublisherJson.Instance.PublisherView);
    }

    private async Task MeasureAsync(HttpContext context)
    {
        var view = await ViewAsync(context.RequestAborted);
        await MetricsRoute.ServeAsync(
            context,
            () => PublisherMetrics.All.Select(one => ((MetricDescription)one, (Action<IMetricSink>)(sink => one.Read(view, sink)))));
    }

    private Task<PublisherView> ViewAsync(CancellationToken cancellationToken) => _loop.AskAsync(
        (state, now) => PublisherView.Of(state, _counters, _drains, _loop.TorVersion, now), cancellationToken);

    private async Task DrainAsync(HttpContext context, bool isDrained)
    {
        string service = (string)context.Request.RouteValues["service"]!, name = (string)context.Request.RouteValues["instance"]!;
        var (view, problem) = await _loop.AskAsync(
            (state, now) =>
            {
                var instance = state.Services.FirstOrDefault(one => one.Options.Name == service)?.Instances
                    .FirstOrDefault(one => one.State.Name == name);
                if (instance is null)
                    return default;
                string? refusal = state.Drain(instance, isDrained, now);
                if (refusal is null)
                    _drains.Keep(state);
                return (InstanceView.Of(instance, state.Timing, now) with { NotKept = _drains.Problem }, refusal);
            },
            context.RequestAborted);
        if (view is null)
            await context.WriteProblemAsync(StatusCodes.Status404NotFound, $"there is no instance '{service}/{name}'");
        else if (problem is not null)
            await context.WriteProblemAsync(StatusCodes.Status409Conflict, problem);
        else
            await context.WriteJsonAsync(view, PublisherJson.Instance.InstanceView);
    }

    /// <summary>Waits for the first byte: HTTP goes on, silence and an end without a word are answered as Onionbalance does.</summary>
    private async Task GreetAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var input = connection.Transport.Input;
        using (var timer = new CancellationTokenSource(Silence))
        {
            await using var canceling = timer.Token.Register(input.CancelPendingRead);
            bool speaks;
            try
            {
                var first = await input.ReadAsync(connection.ConnectionClosed);
                speaks = !first.Buffer.IsEmpty;
                input.AdvanceTo(first.Buffer.Start);
            }
            catch (OperationCanceledException)
            {
                // It only looked whether somebody is here.
                return;
            }

            if (!speaks)
            {
                byte[] json = await _loop.AskAsync(static (state, _) => OnionbalanceStatus.Write(state), CancellationToken.None);
                await connection.Transport.Output.WriteAsync(json);
                await connection.Transport.Output.CompleteAsync();
                return;
            }
        }

        await next(connection);
    }

    private static Socket Bind(EndPoint endPoint)
    {
        try
        {
            return AdminSocket.Bind(endPoint.ToString()!);
        }
        catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"[Publisher] Status cannot listen on {endPoint}: {failure.Message}", failure);
        }
    }
}
