using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace TorBalancer.Tests.Support;

/// <summary>Answers of the admin API that a real daemon does not give on demand: errors, odd values, streams that break off.</summary>
internal sealed class ScriptedAdmin : IAsyncDisposable
{
    private readonly WebApplication _application;

    private ScriptedAdmin(WebApplication application) => _application = application;

    /// <summary>What was asked: method, path with its query, the token, the body.</summary>
    public ConcurrentQueue<(string Request, string Token, string Body)> Requests { get; } = new();

    /// <summary>Status and JSON of a request, "GET /api/v1/…"; others are a 404.</summary>
    public Dictionary<string, (int Status, string Body)> Answers { get; } = [];

    public string Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()
        .Replace("http://", "", StringComparison.Ordinal);

    public static async Task<ScriptedAdmin> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static options =>
            options.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http1));
        var application = builder.Build();
        var admin = new ScriptedAdmin(application);
        application.Run(admin.AnswerAsync);
        await application.StartAsync();
        return admin;
    }

    public Task<CommandRun> RunAsync(params string[] arguments) => CommandRun.OfAsync([.. arguments, "--admin", Address]);

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        string request = $"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}";
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        string body = await reader.ReadToEndAsync(context.RequestAborted);
        Requests.Enqueue((request, context.Request.Headers.Authorization.ToString(), body));
        if (!Answers.TryGetValue(request, out var answer))
            answer = (404, """{"title":"Not Found","status":404,"detail":"there is no such path"}""");
        context.Response.StatusCode = answer.Status;
        await context.Response.WriteAsync(answer.Body, context.RequestAborted);
    }
}
