using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TorBalancer.Tests.Support;

/// <summary>
/// A Firefox without a window and with a fresh profile, driven by WebDriver BiDi (w3.org/TR/webdriver-bidi), which it speaks itself.
/// </summary>
internal sealed class FirefoxUnderTest : IAsyncDisposable
{
    // What it does unasked would be in the way, or ask for a name as well.
    private static readonly string[] Quiet =
    [
        "browser.shell.checkDefaultBrowser\", false", "datareporting.policy.dataSubmissionEnabled\", false",
        "toolkit.telemetry.enabled\", false", "network.captive-portal-service.enabled\", false",
        "network.connectivity-service.enabled\", false", "app.update.auto\", false", "browser.safebrowsing.malware.enabled\", false",
        "browser.safebrowsing.phishing.enabled\", false", "extensions.update.enabled\", false", "dom.security.https_first\", false",
        "dom.security.https_first_schemeless\", false", "browser.startup.page\", 0", "browser.aboutHomeSnippets.updateUrl\", \"\"",
        "services.settings.server\", \"data:,\"", "network.proxy.allow_hijacking_localhost\", true", "network.dns.disableIPv6\", true",
        "media.gmp-manager.updateEnabled\", false", "network.prefetch-next\", false", "network.dns.disablePrefetch\", true",
    ];

    private readonly ForegroundProcess _process;
    private readonly string _profile;
    private readonly ClientWebSocket _socket = new();
    private readonly (string User, string Password)? _credentials;
    private string _context = "";
    private int _lastId;

    private FirefoxUnderTest(ForegroundProcess process, string profile, (string User, string Password)? credentials)
    {
        _process = process;
        _profile = profile;
        _credentials = credentials;
    }

    /// <summary>How often a proxy has asked who it is.</summary>
    public int Challenges { get; private set; }

    /// <param name="preferences">Lines of its user.js: <c>user_pref("…", …);</c>.</param>
    /// <param name="credentials">What a user enters when asked; null: the question is dismissed.</param>
    public static async Task<FirefoxUnderTest> StartAsync(
        IEnumerable<string> preferences, (string User, string Password)? credentials, CancellationToken token)
    {
        string program = ClientProcess.Require("firefox-esr"), profile = Directory.CreateTempSubdirectory("tbf").FullName;
        await File.WriteAllLinesAsync(
            Path.Combine(profile, "user.js"), [.. Quiet.Select(static one => $"user_pref(\"{one});"), .. preferences], token);
        var process = ForegroundProcess.Start(
            [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"],
            new Dictionary<string, string> { ["HOME"] = profile, ["MOZ_CRASHREPORTER_DISABLE"] = "1" });
        var firefox = new FirefoxUnderTest(process, profile, credentials);
        try
        {
            string line = await process.WaitForLineAsync("WebDriver BiDi listening on ", token);
            await firefox.ConnectAsync(line[line.IndexOf("ws://", StringComparison.Ordinal)..].Trim(), token);
            return firefox;
        }
        catch
        {
            await firefox.DisposeAsync();
            throw;
        }
    }

    /// <summary>Loads a page, and returns the text of its document.</summary>
    public async Task<string> ReadAsync(string url, CancellationToken token)
    {
        await AskAsync("browsingContext.navigate", new JsonObject { ["context"] = _context, ["url"] = url, ["wait"] = "complete" }, token);
        var answer = await AskAsync(
            "script.evaluate",
            new JsonObject
            {
                ["expression"] = "document.documentElement.textContent",
                ["target"] = new JsonObject { ["context"] = _context },
                ["awaitPromise"] = false,
            },
            token);
        return answer["result"]!["value"]!.GetValue<string>();
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _process.DisposeAsync();
        for (int tries = 0; ; tries++)
        {
            try
            {
                Directory.Delete(_profile, recursive: true);
                return;
            }
            catch (IOException) when (tries < 20)
            {
                // Its helpers may still write there for a moment.
                await Task.Delay(100);
            }
        }
    }

    private async Task ConnectAsync(string address, CancellationToken token)
    {
        await _socket.ConnectAsync(new Uri(address + "/session"), token);
        await AskAsync("session.new", new JsonObject { ["capabilities"] = new JsonObject() }, token);
        var tree = await AskAsync("browsingContext.getTree", new JsonObject(), token);
        _context = tree["contexts"]![0]!["context"]!.GetValue<string>();
        await AskAsync("session.subscribe", new JsonObject { ["events"] = new JsonArray("network.authRequired") }, token);
        await AskAsync("network.addIntercept", new JsonObject { ["phases"] = new JsonArray("authRequired") }, token);
    }

    /// <summary>Sends a command; answers questions for a name until its result comes.</summary>
    private async Task<JsonNode> AskAsync(string method, JsonObject parameters, CancellationToken token)
    {
        int id = await SendAsync(method, parameters, token);
        while (true)
        {
            var message = await ReceiveAsync(token);
            if (message["method"]?.GetValue<string>() == "network.authRequired")
            {
                Challenges++;
                await EnterAsync(message["params"]!["request"]!["request"]!.GetValue<string>(), token);
            }
            else if (message["id"]?.GetValue<int>() == id)
            {
                return message["result"] ?? throw new InvalidDataException($"{method}: {message.ToJsonString()}\n{_process}");
            }
        }
    }

    private Task<int> EnterAsync(string request, CancellationToken token)
    {
        var answer = new JsonObject { ["request"] = request, ["action"] = _credentials is null ? "cancel" : "provideCredentials" };
        if (_credentials is { } given)
        {
            answer["credentials"] = new JsonObject
            {
                ["type"] = "password",
                ["username"] = given.User,
                ["password"] = given.Password,
            };
        }

        return SendAsync("network.continueWithAuth", answer, token);
    }

    private async Task<int> SendAsync(string method, JsonObject parameters, CancellationToken token)
    {
        int id = ++_lastId;
        var command = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        await _socket.SendAsync(Encoding.UTF8.GetBytes(command.ToJsonString()), WebSocketMessageType.Text, endOfMessage: true, token);
        return id;
    }

    private async Task<JsonNode> ReceiveAsync(CancellationToken token)
    {
        using var message = new MemoryStream();
        byte[] buffer = new byte[16 * 1024];
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer, token);
            message.Write(buffer, 0, part.Count);
            if (part.EndOfMessage)
                return JsonNode.Parse(message.ToArray()) ?? throw new JsonException("nothing came");
        }
    }
}
