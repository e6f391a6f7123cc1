using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace TorBalancer.Daemon.Admin;

/// <summary>Writes JSON and problems.</summary>
internal static class AdminAnswers
{
    public static Task WriteJsonAsync<T>(this HttpContext context, T value, JsonTypeInfo<T> type) =>
        context.Response.WriteAsJsonAsync(value, type, "application/json; charset=utf-8", context.RequestAborted);

    public static Task WriteProblemAsync(this HttpContext context, int status, string detail, string? field = null, IReadOnlyList<string>? allowed = null)
    {
        context.Response.StatusCode = status;
        var problem = new ProblemView(ReasonPhrases.GetReasonPhrase(status), status, detail) { Field = field, Allowed = allowed };
        return context.Response.WriteAsJsonAsync(problem, AdminJson.Instance.ProblemView, "application/problem+json", context.RequestAborted);
    }
}
