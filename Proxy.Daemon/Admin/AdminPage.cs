using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// The page for people: "/", and the files that it loads from "/page/". They are resources of this assembly and the same for everybody, so
/// they are served before the token is asked for; the page asks its reader for it. A file is read when it is asked for the first time.
/// </summary>
internal static class AdminPage
{
    private const string Folder = "page/";

    /// <summary>
    /// The page runs its own files and talks to its own origin, nothing else. Nobody frames it, and text can become markup nowhere: names
    /// of hosts and sessions come from clients (W3C, Content Security Policy Level 3; Trusted Types).
    /// </summary>
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    // Only of names that there are, so it does not grow with what is asked for.
    private static readonly ConcurrentDictionary<string, PageFile> Read = new(StringComparer.Ordinal);

    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        string method = context.Request.Method;
        bool isServer = context.Request.Path.Value is "/";
        if ((HttpMethods.IsOptions(method) && isServer) || Find(context.Request.Path.Value) is not { } file)
            return next(context);
        if (!HttpMethods.IsGet(method) && !HttpMethods.IsHead(method))
        {
            context.Response.StatusCode =
                HttpMethods.IsOptions(method) ? StatusCodes.Status204NoContent : StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = "GET, HEAD";
            return Task.CompletedTask;
        }

        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";

        // Kept by the browser, and asked about each time: another version of the daemon has other files.
        headers.CacheControl = "no-cache";
        headers.ETag = file.Tag.ToString();
        if (IsKnown(context.Request, file.Tag))
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        context.Response.ContentType = file.Type;
        context.Response.ContentLength = file.Content.Length;
        return HttpMethods.IsHead(method)
            ? Task.CompletedTask : context.Response.Body.WriteAsync(file.Content, context.RequestAborted).AsTask();
    }

    /// <summary>RFC 9110, section 13.1.2.</summary>
    private static bool IsKnown(HttpRequest request, EntityTagHeaderValue tag) =>
        EntityTagHeaderValue.TryParseList([.. request.Headers.IfNoneMatch.OfType<string>()], out var known)
        && known.Any(one => one.Equals(EntityTagHeaderValue.Any) || one.Compare(tag, useStrongComparison: false));

    private static PageFile? Find(string? path)
    {
        if (path is "/")
            path = "/" + Folder + "index.html";
        if (path is null || !path.StartsWith("/" + Folder, StringComparison.Ordinal))
            return null;
        string name = path[1..];
        if (Read.TryGetValue(name, out var file))
            return file;
        using var stream = typeof(AdminPage).Assembly.GetManifestResourceStream(name);
        if (stream is null)
            return null;
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        string hash = Convert.ToHexString(SHA256.HashData(content).AsSpan(0, 16));
        return Read.GetOrAdd(name, new PageFile(content, TypeOf(name), new EntityTagHeaderValue($"\"{hash}\"")));
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };

    private sealed record PageFile(byte[] Content, string Type, EntityTagHeaderValue Tag);
}
