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
    }
}
