using Microsoft.AspNetCore.Http;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// Turns away parameters that a route with parameters does not know, and those that are given twice: of a command that would do more than
/// was asked for when one is misspelt.
/// </summary>
internal static class AdminQuery
{
    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (!context.Request.QueryString.HasValue || context.GetEndpoint()?.Metadata.GetMetadata<AdminOperation>() is not { } operation)
            return next(context);
        string[] known = [.. operation.Parameters.Where(static one => one.Place == "query").Select(static one => one.Name)];
        if (known.Length == 0)
            return next(context);
        foreach (var (name, values) in context.Request.Query)
        {
            if (!known.Contains(name, StringComparer.Ordinal))
                return context.WriteProblemAsync(StatusCodes.Status400BadRequest, "there is no such parameter", name, known);
            if (values.Count > 1)
                return context.WriteProblemAsync(StatusCodes.Status400BadRequest, $"{name} is given {values.Count} times", name);
        }

        return next(context);
    }
}
