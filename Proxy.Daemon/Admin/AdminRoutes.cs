using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;
using TorBalancer.Admin;
using TorBalancer.Admin.Fetch;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// The paths of workers, sessions, connections and fetches. Every route has an <see cref="AdminOperation"/>, by which it is described.
/// </summary>
internal sealed class AdminRoutes(
    AdminViews views, AdminCommands commands, FetchEngine fetch, Func<bool> refusesFetches, CancellationToken stopping)
{
    private static readonly string[] Read = ["GET", "HEAD"];
    private static readonly string[] Write = ["POST"];

    /// <summary>What lists and larger request bodies may take, of all clients together.</summary>
    private const long MaxMemory = 64L << 20;

    /// <summary>A list that takes no more is always given.</summary>
    private const long SmallList = 64 * 1024;

    /// <summary>What a worker, a connection, a session and a user take in a list, bytes: the record and its strings.</summary>
    private const int WorkerMemory = 1024, ConnectionMemory = 512, SessionMemory = 256, UserMemory = 256;

    private readonly MemoryBudget _memory = new(MaxMemory);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods(
            "/api/v1/health", Read,
            context => ListAsync(context, views.Workers.Count * WorkerMemory, views.Workers.Health, AdminJson.Instance.HealthView))
            .WithMetadata(new AdminOperation("getHealth", "The pool at a glance") { Answer = typeof(HealthView) });
        routes.MapMethods(
            "/api/v1/workers", Read,
            context => ListAsync(context, views.Workers.Count * WorkerMemory, views.Workers.All, AdminJson.Instance.WorkersView))
            .WithMetadata(new AdminOperation("getWorkers", "All workers with all their counters")
            {
                Answer = typeof(WorkersView),
            });
        routes.MapMethods(
            "/api/v1/connections", Read,
            context => ListAsync(
                context, views.Connections.Count * ConnectionMemory,
                () => views.Connections.All(context.Request.Query["worker"].FirstOrDefault()), AdminJson.Instance.ConnectionsView))
            .WithMetadata(new AdminOperation("getConnections", "Live client connections")
            {
                Answer = typeof(ConnectionsView),
                Parameters = [new AdminParameter("worker", "Only those of this worker")],
                Problems = [StatusCodes.Status400BadRequest],
            });
        routes.MapMethods("/api/v1/workers/{id}/drain", Write, context => CommandAsync(context, commands.Drain))
            .WithMetadata(Command("drainWorker", "No new connections for a worker", typeof(WorkerView)));
        routes.MapMethods("/api/v1/workers/{id}/enable", Write, context => CommandAsync(context, commands.Enable))
            .WithMetadata(Command("enableWorker", "Back into the pool", typeof(WorkerView)));
        routes.MapMethods(
            "/api/v1/sessions", Read,
            context => ListAsync(context, views.SessionCount * SessionMemory, views.Sessions, AdminJson.Instance.SessionsView))
            .WithMetadata(new AdminOperation("getSessions", "Sessions that clients use") { Answer = typeof(SessionsView) });
        routes.MapMethods(
            "/api/v1/users", Read,
            context => ListAsync(context, views.Users.Count * UserMemory, views.Users.All, AdminJson.Instance.UsersView))
            .WithMetadata(new AdminOperation("getUsers", "Configured users: their connections, their bytes, and what was refused to them")
            {
                Answer = typeof(UsersView),
            });
        routes.MapMethods("/api/v1/sessions/{id}/rotate", Write, RotateAsync)
            .WithMetadata(Command("rotateSession", "A new circuit for a session", typeof(RotationView)));
        routes.MapMethods("/api/v1/fetch", Write, FetchAsync).WithMetadata(new AdminOperation("fetch", "Fetches a URL through a worker")
        {
            BodySchema = AdminFetchSchemas.Request,
            AnswerSchema = AdminFetchSchemas.Answer,
            Problems = [StatusCodes.Status400BadRequest, StatusCodes.Status413PayloadTooLarge, StatusCodes.Status415UnsupportedMediaType],
        });
        if (commands is { Reloader: { } reloader, Workers: { } workers })
            new AdminReloadRoutes(reloader, workers, views.Workers).Map(routes);
        routes.MapMethods(ProxyAutoConfig.Path, Read, AutoConfigAsync);
        routes.MapMethods(ProxyAutoConfig.DiscoveryPath, Read, AutoConfigAsync);
        routes.MapMethods("/metrics", Read, context => MetricsRoute.ServeAsync(context, views.Metrics));
    }

    private static AdminOperation Command(string id, string summary, Type answer) => new(id, summary)
    {
        Answer = answer,
        Problems = [StatusCodes.Status404NotFound],
    };

    /// <summary>A list stands in memory until its reader has it all, and there may be as many readers as places.</summary>
    /// <param name="size">About how much that is, bytes.</param>
    private async Task ListAsync<T>(HttpContext context, long size, Func<T> list, JsonTypeInfo<T> type)
    {
        using var share = _memory.Open(size);
        if (size > SmallList && !share.TryGrow(share.Claim))
            await context.WriteBusyAsync("too many lists are being read");
        else
            await context.WriteJsonAsync(list(), type);
    }

    private Task CommandAsync(HttpContext context, Func<string, WorkerState?> command)
    {
        if (HasBody(context) && !IsJson(context.Request))
            return WrongTypeAsync(context);
        string id = (string)context.Request.RouteValues["id"]!;
        return command(id) is { } worker
            ? context.WriteJsonAsync(views.Workers.Of(worker), AdminJson.Instance.WorkerView)
            : context.WriteProblemAsync(StatusCodes.Status404NotFound, $"there is no worker '{id}'");
    }

    private Task RotateAsync(HttpContext context)
    {
        if (HasBody(context) && !IsJson(context.Request))
            return WrongTypeAsync(context);
        string id = (string)context.Request.RouteValues["id"]!;
        return commands.Rotate(id) is > 0 and var rotated
            ? context.WriteJsonAsync(new RotationView(rotated), AdminJson.Instance.RotationView)
            : context.WriteProblemAsync(StatusCodes.Status404NotFound, $"no session is known as '{id}'");
    }

    private async Task FetchAsync(HttpContext context)
    {
        if (HasBody(context) && !IsJson(context.Request))
        {
            await WrongTypeAsync(context);
            return;
        }

        var (request, problem, isRefused) = await AdminBody.ReadAsync(context, _memory);
        if (request is null)
        {
            await (isRefused ? context.WriteBusyAsync("too many large requests are being sent")
                : context.WriteProblemAsync(StatusCodes.Status400BadRequest, problem!.Detail, problem.Field, problem.Allowed));
            return;
        }

        if (refusesFetches())
        {
            await StoppingAsync(context);
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        try
        {
            context.MoveTo(AdminPlaceState.Working);
            using var result = await fetch.FetchAsync(request, either.Token);
            context.MoveTo(AdminPlaceState.Answering);
            if (result.IsShortOfMemory)
            {
                await context.WriteBusyAsync(result.Error!.Message);
                return;
            }

            context.Response.ContentType = AdminAnswers.JsonType;
            await FetchAnswer.WriteAsync(context.Response.BodyWriter, result, context.RequestAborted);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested && !context.Response.HasStarted)
        {
            await StoppingAsync(context);
        }
    }

    private Task AutoConfigAsync(HttpContext context)
    {
        HostEndPoint.TryParseAuthority(context.Request.Host.Value ?? "", defaultPort: 80, out var asked);
        string? session = context.Request.Query.TryGetValue(ProxyAutoConfig.SessionParameter, out var given) ? given.ToString() : null;
        if (views.AutoConfig(asked, session, out string problem) is not { } script)
            return context.WriteProblemAsync(StatusCodes.Status404NotFound, problem);
        context.Response.ContentType = ProxyAutoConfig.ContentType;
        return context.Response.WriteAsync(script, context.RequestAborted);
    }

    internal static Task StoppingAsync(HttpContext context) =>
        context.WriteProblemAsync(StatusCodes.Status503ServiceUnavailable, "the daemon is stopping");

    internal static bool HasBody(HttpContext context) => context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? false;

    /// <summary>A type that no HTML form can send without the browser asking first, and asking is never granted.</summary>
    internal static bool IsJson(HttpRequest request) =>
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        && (!type.Charset.HasValue || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    internal static Task WrongTypeAsync(HttpContext context) =>
        context.WriteProblemAsync(StatusCodes.Status415UnsupportedMediaType, "Content-Type must be application/json");
}
