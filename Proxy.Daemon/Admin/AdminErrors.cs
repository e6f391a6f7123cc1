using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;

namespace TorBalancer.Daemon.Admin;

/// <summary>Gives every error a body of the same form, also those that the framework answers.</summary>
internal static partial class AdminErrors
{
    public static async Task InvokeAsync(HttpContext context, RequestDelegate next, ILogger logger)
    {
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentType: null })
                await context.WriteProblemAsync(context.Response.StatusCode, Describe(context));
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for an answer any more.
        }
        catch (Exception failure) when (IsClientGone(context, failure))
        {
            // In the middle of its body: nobody is there to be answered.
            Log.ClientLeft(logger, context.Request.Path.Value ?? "", failure.Message);
        }
        catch (BadHttpRequestException failure) when (!context.Response.HasStarted)
        {
            string detail = failure.StatusCode == StatusCodes.Status413PayloadTooLarge ? "the body is larger than 1 MiB" : failure.Message;
            await context.WriteProblemAsync(failure.StatusCode, detail);
        }
        catch (Exception failure) when (!context.Response.HasStarted)
        {
            Log.Failed(logger, failure, context.Request.Path.Value ?? "");
            await context.WriteProblemAsync(StatusCodes.Status500InternalServerError, "the admin API failed; the log says more");
        }
    }

    /// <summary>
    /// Its connection ended under the request: the client closed or reset it, or its place was needed for another. What a read of the
    /// body throws then depends on who was first, and wraps what it was.
    /// </summary>
    private static bool IsClientGone(HttpContext context, Exception failure)
    {
        for (var one = failure; one is not null; one = one.InnerException)
        {
            if (one is ConnectionAbortedException or ConnectionResetException)
                return true;
        }

        return failure is OperationCanceledException or IOException
            && context.Features.Get<IConnectionLifetimeFeature>() is { ConnectionClosed.IsCancellationRequested: true };
    }

    private static string Describe(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => $"there is nothing at {context.Request.Path}",
        StatusCodes.Status405MethodNotAllowed => $"{context.Request.Path} takes {context.Response.Headers.Allow}",
        _ => "the request cannot be answered",
    };

    private static partial class Log
    {
        [LoggerMessage(AdminEventIds.RequestFailed, LogLevel.Error, "The admin API failed at {Path}")]
        public static partial void Failed(ILogger logger, Exception failure, string path);

        [LoggerMessage(AdminEventIds.ClientLeft, LogLevel.Debug, "The admin API's client left during its request of {Path}: {Reason}")]
        public static partial void ClientLeft(ILogger logger, string path, string reason);
    }
}
