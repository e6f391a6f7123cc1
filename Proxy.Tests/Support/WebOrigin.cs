using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Tests.Support;

/// <summary>
/// A complete web server (Kestrel) behind the exits, for what the test network's own origin does not do: TLS, ranges,
/// WebSockets, pages with sub-resources, a download that waits in its middle. Any name below <c>.test</c> leads to it.
/// </summary>
internal sealed class WebOrigin : IAsyncDisposable
{
    /// <summary>The name that tests use for it.</summary>
    public const string Name = "web.test";

    /// <summary>Sub-resources of <c>/page</c>.</summary>
    public const int Assets = 24;

    public const int FileLength = 20 * 1024 * 1024;

    private const int HalfOfGated = 2 * 1024 * 1024;
    private const int FirstPort = 20_000;
    public const int LastPort = 30_000;

    private static readonly byte[] Data = MakeFile();

    private readonly WebApplication _application;
    private readonly TaskCompletionSource _halfSent = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WebOrigin(WebApplication application, X509Certificate2 certificate, int port, int tlsPort)
    {
        _application = application;
        Certificate = certificate;
        Port = port;
        TlsPort = tlsPort;
    }

    public X509Certificate2 Certificate { get; }

    public int Port { get; }

    public int TlsPort { get; }

    /// <summary>What <c>/file</c> is.</summary>
    public static byte[] FileBytes => Data;

    /// <summary>What <c>/gated</c> sends before and behind its gate together.</summary>
    public static byte[] GatedBytes => Data[..(2 * HalfOfGated)];

    /// <summary>What <c>/git/…</c> serves; null: nothing.</summary>
    public string? GitDirectory { get; set; }

    /// <summary>The paths that were asked for, with their Host.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>What pages said of themselves.</summary>
    public ConcurrentQueue<string> Reports { get; } = new();

    /// <summary>Completes when <c>/gated</c> has sent its first half.</summary>
    public Task HalfSent => _halfSent.Task;

    /// <summary>Lets <c>/gated</c> go on.</summary>
    public void Release() => _released.TrySetResult();

    public static async Task<WebOrigin> StartAsync(TestNetwork network)
    {
        IPAddress[] addresses = [IPAddress.Loopback, .. Enumerable.Range(0, network.Exits.Count).Select(TestNetworkPlan.ExitAddress)];
        X509Certificate2 certificate = TestCertificate.Create();
        int port = FreePort(addresses, FirstPort), tlsPort = FreePort(addresses, port + 1);

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(options =>
        {
            options.Limits.MaxRequestBodySize = null;
            options.Limits.MinResponseDataRate = null;
            foreach (IPAddress address in addresses)
            {
                options.Listen(address, port, static listen => listen.Protocols = HttpProtocols.Http1);
                options.Listen(address, tlsPort, listen => listen.UseHttps(certificate));
            }
        });
        WebApplication application = builder.Build();
        var origin = new WebOrigin(application, certificate, port, tlsPort);
        application.UseWebSockets();
        application.Run(origin.ServeAsync);
        await application.StartAsync();
        return origin;
    }

    public async ValueTask DisposeAsync()
    {
        Release();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _application.StopAsync(patience.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
        await _application.DisposeAsync();
        Certificate.Dispose();
    }

    public static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static byte[] MakeFile()
    {
        var file = new byte[FileLength];
        new Random(20).NextBytes(file);
        return file;
    }

    /// <summary>A port that is free at all of the addresses. Below the ephemeral range, so that no connection takes it meanwhile.</summary>
    public static int FreePort(IPAddress[] addresses, int first)
    {
        for (int port = first; port < LastPort; port++)
        {
            if (Array.TrueForAll(addresses, address => IsFree(address, port)))
                return port;
        }

        throw new InvalidOperationException("no free port");
    }

    private static bool IsFree(IPAddress address, int port)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private Task ServeAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        Requests.Enqueue(context.Request.Host + path);
        return path switch
        {
            "/" => context.Response.WriteAsync("web origin\n"),
            "/file" => Results.Bytes(Data, enableRangeProcessing: true).ExecuteAsync(context),
            "/gated" => GatedAsync(context),
            "/upload" => UploadAsync(context),
            "/page" => PageAsync(context),
            "/ws" => EchoAsync(context),
            "/report" => ReportAsync(context),
            "/load-gate" => LoadGateAsync(context),
            _ when path.StartsWith("/asset/", StringComparison.Ordinal) => AssetAsync(context, path),
            _ when path.StartsWith("/git/", StringComparison.Ordinal) => GitAsync(context, path["/git/".Length..]),
            _ => NotFoundAsync(context),
        };
    }

    private static Task NotFoundAsync(HttpContext context)
    {
        context.Response.StatusCode = 404;
        return Task.CompletedTask;
    }

    private async Task GatedAsync(HttpContext context)
    {
        context.Response.ContentLength = 2 * HalfOfGated;
        await context.Response.Body.WriteAsync(Data.AsMemory(0, HalfOfGated));
        await context.Response.Body.FlushAsync();
        _halfSent.TrySetResult();
        await _released.Task;
        await context.Response.Body.WriteAsync(Data.AsMemory(HalfOfGated, HalfOfGated));
    }

    private static async Task UploadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var headers = context.Request.Headers;
        await context.Response.WriteAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{context.Request.Method} {body.Length} {Hash(body.ToArray())} te={headers.TransferEncoding} expect={headers.Expect}"));
    }

    private static Task PageAsync(HttpContext context)
    {
        var page = new StringBuilder("<!doctype html><meta charset=utf-8><title>loading</title><body>");
        for (int i = 0; i < Assets; i++)
        {
            page.Append((i % 3) switch
            {
                0 => $"<script src='/asset/{i}.js'></script>",
                1 => $"<link rel=stylesheet href='/asset/{i}.css'>",
                _ => $"<img src='/asset/{i}.svg'>",
            });
        }

        // The load event, which ends a headless run, waits for the last image, and that for the report.
        page.Append("""
            <p id=result>waiting</p>
            <script>
              function report(text) {
                document.getElementById('result').textContent = text;
                fetch('/report', { method: 'POST', body: text });
              }
              var socket = new WebSocket('ws://' + location.host + '/ws'), echoed = [];
              socket.onopen = function () { socket.send('one'); socket.send('x'.repeat(70000)); };
              socket.onerror = function () { report('websocket failed'); };
              socket.onmessage = function (e) {
                echoed.push(e.data.length);
                if (echoed.length == 2) socket.close(1000);
              };
              socket.onclose = function (e) { report('echoed ' + echoed.join(',') + ' closed ' + e.code + ' scripts ' + window.scripts); };
            </script>
            <img src='/load-gate'></body>
            """);
        context.Response.ContentType = "text/html";
        return context.Response.WriteAsync(page.ToString());
    }

    private static Task AssetAsync(HttpContext context, string path)
    {
        (context.Response.ContentType, string content) = Path.GetExtension(path) switch
        {
            ".js" => ("text/javascript", "window.scripts = (window.scripts || 0) + 1;"),
            ".css" => ("text/css", "body { margin: 1px; }"),
            _ => ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>"),
        };
        return context.Response.WriteAsync(content);
    }

    private async Task ReportAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        Reports.Enqueue(await reader.ReadToEndAsync());
        Release();
    }

    private async Task LoadGateAsync(HttpContext context)
    {
        await _released.Task;
        await AssetAsync(context, "gate.svg");
    }

    private static async Task EchoAsync(HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.StatusCode = 400;
            return;
        }

        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var result = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
            if (result.MessageType == WebSocketMessageType.Close)
                break;
            await socket.SendAsync(buffer.AsMemory(0, result.Count), result.MessageType, result.EndOfMessage, context.RequestAborted);
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
    }

    private Task GitAsync(HttpContext context, string path)
    {
        string file = GitDirectory is null ? "" : Path.GetFullPath(Path.Combine(GitDirectory, path));
        if (GitDirectory is null || !file.StartsWith(GitDirectory + "/", StringComparison.Ordinal) || !File.Exists(file))
            return NotFoundAsync(context);
        return context.Response.SendFileAsync(file);
    }
}
