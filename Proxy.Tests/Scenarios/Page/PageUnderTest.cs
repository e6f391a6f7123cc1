using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>The page in a window of its own. What the browser complains of fails the test.</summary>
internal sealed class PageUnderTest : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _complaints = new();

    private PageUnderTest(IBrowserContext context, IPage page, bool isHostile)
    {
        _context = context;
        Page = page;
        if (isHostile)
            return;
        page.PageError += (_, error) => _complaints.Enqueue(error);
        page.Console += (_, message) =>
        {
            // Of an answer with an error status, which the page itself tells the reader of.
            if (message.Type is "error" or "warning" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
                _complaints.Enqueue(message.Text);
        };
    }

    public IPage Page { get; }

    /// <param name="isHostile">What is done in it is refused, and the browser may say so.</param>
    public static async Task<PageUnderTest> NewAsync(
        ColorScheme scheme = ColorScheme.Light, int width = 1440, int height = 900, bool isHostile = false)
    {
        var context = await PageSetUp.Browser.NewContextAsync(new BrowserNewContextOptions
        {
            ColorScheme = scheme,
            ViewportSize = new ViewportSize { Width = width, Height = height },
        });
        context.SetDefaultTimeout(30_000);
        return new PageUnderTest(context, await context.NewPageAsync(), isHostile);
    }

    /// <summary>Opens the page of the shared daemon and returns when it shows workers.</summary>
    public static async Task<PageUnderTest> OpenAsync(
        ColorScheme scheme = ColorScheme.Light, int width = 1440, int height = 900, Func<IPage, Task>? prepare = null,
        bool isHostile = false)
    {
        var one = await NewAsync(scheme, width, height, isHostile);
        if (prepare is not null)
            await prepare(one.Page);
        await one.Page.GotoAsync(PageSetUp.Admin + "/");
        await one.Row("workers", "worker-02").WaitForAsync();
        return one;
    }

    /// <summary>A row of a list by its key.</summary>
    public ILocator Row(string list, string key) => Page.Locator($"#{list}-rows > [data-key='{key}']");

    /// <summary>The state of a worker as it is read.</summary>
    public Task UntilStateAsync(string worker, string word) =>
        Assertions.Expect(Row("workers", worker).Locator(".state")).ToHaveTextAsync(word, new() { Timeout = 30_000 });

    public Task UntilNotedAsync(string text) =>
        Assertions.Expect(Page.Locator("#said")).ToContainTextAsync(new Regex(Regex.Escape(text)), new() { Timeout = 30_000 });

    /// <summary>Confirms what is asked about; the question names what it is about.</summary>
    public async Task ConfirmAsync(string title)
    {
        await Assertions.Expect(Page.Locator("#confirm-title")).ToHaveTextAsync(title);
        await Page.ClickAsync("#confirm-yes");
    }

    /// <summary>What has the focus: the label or the text of it.</summary>
    public Task<string> FocusedAsync() => Page.EvaluateAsync<string>(
        "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()");

    /// <summary>A client's connection to the network's echo service; it lives until it is disposed of.</summary>
    public static async Task<NetworkStream> ConnectAsync(string user, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(PageSetUp.Daemon.Address, token);
        var stream = new NetworkStream(socket, ownsSocket: true);
        byte[] reply = await SocksClient.RequestAsync(stream, "echo.test", PageSetUp.Network.EchoPort, token, user, "");
        Assert.That(reply[1], Is.Zero);
        return stream;
    }

    /// <summary>What the API says.</summary>
    public static async Task<JsonElement> GetAsync(string path, CancellationToken token)
    {
        using var document = JsonDocument.Parse(await PageSetUp.Client.GetStringAsync(PageSetUp.Admin + path, token));
        return document.RootElement.Clone();
    }

    public static async Task PostAsync(string path, CancellationToken token) =>
        (await PageSetUp.Client.PostAsync(PageSetUp.Admin + path, null, token)).EnsureSuccessStatusCode();

    public async ValueTask DisposeAsync()
    {
        await _context.DisposeAsync();
        Assert.That(_complaints, Is.Empty);
    }
}
