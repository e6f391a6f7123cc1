using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;
using TorBalancer.Admin;
using TorBalancer.Admin.Fetch;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Admin;

/// <summary>The paths of the API. Further ones (reload, metrics, the page) are further lines in <see cref="Map"/>.</summary>
internal sealed class AdminRoutes(AdminViews views, AdminCommands commands, FetchEngine fetch, Func<bool> refusesFetches, CancellationToken stopping)
{
    private static readonly string[] Read = ["GET", "HEAD"];
    private static readonly string[] Write = ["POST"];

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/api/v1/health", Read, context => context.WriteJsonAsync(views.Health(), AdminJson.Instance.HealthView));
        routes.MapMethods("/api/v1/workers", Read, context => context.WriteJsonAsync(views.Workers(), AdminJson.Instance.WorkersView));
        routes.MapMethods("/api/v1/connections", Read, context => context.WriteJsonAsync(views.Connections(), AdminJson.Instance.ConnectionsView));
        routes.MapMethods("/api/v1/workers/{id}/drain", Write, context => CommandAsync(context, commands.Drain));
        routes.MapMethods("/api/v1/workers/{id}/enable", Write, context => CommandAsync(context, commands.Enable));
        routes.MapMethods("/api/v1/sessions", Read, context => context.WriteJsonAsync(views.Sessions(), AdminJson.Instance.SessionsView));
        routes.MapMethods("/api/v1/sessions/{id}/rotate", Write, RotateAsync);
        routes.MapMethods("/api/v1/fetch", Write, FetchAsync);
    }

    private Task CommandAsync(HttpContext context, Func<string, WorkerState?> command)
    {
        if (HasBody(context) && !IsJson(context.Request))
            return WrongTypeAsync(context);
        string id = (string)context.Request.RouteValues["id"]!;
        return command(id) is { } worker
            ? context.WriteJsonAsync(views.Of(worker), AdminJson.Instance.WorkerView)
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

        var (request, problem) = await ReadAsync(context);
        if (request is null)
        {
            await context.WriteProblemAsync(StatusCodes.Status400BadRequest, problem!.Detail, problem.Field, problem.Allowed);
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
            var result = await fetch.FetchAsync(request, either.Token);
            await context.WriteJsonAsync(result, AdminJson.Instance.FetchResult);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested && !context.Response.HasStarted)
        {
            await StoppingAsync(context);
        }
    }

    private static Task StoppingAsync(HttpContext context) => context.WriteProblemAsync(StatusCodes.Status503ServiceUnavailable, "the daemon is stopping");

    private static async Task<(FetchRequest?, FieldProblem?)> ReadAsync(HttpContext context)
    {
        try
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body, Strict, context.RequestAborted);
            return FetchRequestReader.Read(body.RootElement);
        }
        catch (JsonException failure)
        {
            return (null, new FieldProblem(null, $"the body is not JSON as it must be: {failure.Message}"));
        }
        catch (InvalidOperationException)
        {
            // JsonElement.GetString, at bytes or escapes that are no text.
            return (null, new FieldProblem(null, "the body is not valid UTF-8"));
        }
    }

    private static bool HasBody(HttpContext context) => context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? false;

    /// <summary>A type that no HTML form can send without the browser asking first, and asking is never granted.</summary>
    private static bool IsJson(HttpRequest request) =>
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        && (!type.Charset.HasValue || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    private static Task WrongTypeAsync(HttpContext context) =>
        context.WriteProblemAsync(StatusCodes.Status415UnsupportedMediaType, "Content-Type must be application/json");
}
