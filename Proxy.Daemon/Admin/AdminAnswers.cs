using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using TorBalancer.Admin.Reload;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Daemon.Admin;

/// <summary>Writes JSON and problems.</summary>
internal static class AdminAnswers
{
    public const string JsonType = "application/json; charset=utf-8";

    /// <summary>When somebody who was turned away for want of memory should come again, seconds.</summary>
    private const string RetrySeconds = "5";

    public static Task WriteJsonAsync<T>(this HttpContext context, T value, JsonTypeInfo<T> type) =>
        context.Response.WriteAsJsonAsync(value, type, JsonType, context.RequestAborted);

    /// <summary>503: the same may work a little later.</summary>
    public static Task WriteBusyAsync(this HttpContext context, string detail)
    {
        context.Response.Headers.RetryAfter = RetrySeconds;
        return context.WriteProblemAsync(StatusCodes.Status503ServiceUnavailable, detail);
    }

    /// <summary>422: the body is as it must be, and the configuration would not be.</summary>
    public static Task WriteInvalidAsync(this HttpContext context, string detail, IReadOnlyList<ConfigurationIssue> errors)
    {
        const int status = StatusCodes.Status422UnprocessableEntity;
        context.Response.StatusCode = status;
        var problem = new ProblemView(ReasonPhrases.GetReasonPhrase(status), status, detail)
        {
            Errors = [.. errors.Select(IssueView.Of)],
        };
        return context.Response.WriteAsJsonAsync(
            problem, AdminJson.Instance.ProblemView, "application/problem+json", context.RequestAborted);
    }

    public static Task WriteProblemAsync(
        this HttpContext context, int status, string detail, string? field = null, IReadOnlyList<string>? allowed = null)
    {
        context.Response.StatusCode = status;
        var problem = new ProblemView(ReasonPhrases.GetReasonPhrase(status), status, detail) { Field = field, Allowed = allowed };
        return context.Response.WriteAsJsonAsync(
            problem, AdminJson.Instance.ProblemView, "application/problem+json", context.RequestAborted);
    }
}
