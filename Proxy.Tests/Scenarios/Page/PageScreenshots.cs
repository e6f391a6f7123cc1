using System.Diagnostics;
using Microsoft.Playwright;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Scenarios.Resilience;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>
/// The pictures of docs/page.md, of real tors under load with one killed and one drained. They are written to the folder that
/// TORBALANCER_SCREENSHOTS names, seen from the top of the repository; without it the test only sees whether they can be made.
/// </summary>
[Category("Long")]
public sealed class PageScreenshots
{
    /// <summary>What a picture may take in the repository, bytes.</summary>
    private const int MostBytes = 150_000;

    /// <summary>So that the sparklines have something to show.</summary>
    private static readonly TimeSpan Lead = TimeSpan.FromSeconds(40);

    [Test, CancelAfter(240_000)]
    public async Task Page_under_load(CancellationToken token)
    {
        ClientProcess.Require("pngquant");
        long started = Stopwatch.GetTimestamp();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var load = new MixedLoad(PageSetUp.Network, PageSetUp.Daemon.Address, () => Stopwatch.GetElapsedTime(started)).RunAsync(stop.Token);
        await using var shop = await PageUnderTest.ConnectAsync("session-shop-lifetime-10m", token);
        await using var news = await PageUnderTest.ConnectAsync("session-news-rotate-20", token);
        await using var light = await PageUnderTest.OpenAsync(ColorScheme.Light, 1440, 1000);
        await using var dark = await PageUnderTest.OpenAsync(ColorScheme.Dark, 1440, 1000);
        await using var phone = await PageUnderTest.OpenAsync(ColorScheme.Dark, 390, 1200);
        try
        {
            await Task.Delay(Lead, token);
            await PageSetUp.Network.KillAsync("worker-02");
            await PageUnderTest.PostAsync("/api/v1/workers/worker-03/drain", token);
            foreach (var one in (PageUnderTest[])[light, dark, phone])
                await one.UntilStateAsync("worker-02", "Recovery");
            await ShootAsync(light, "page-light.png", token);
            await ShootAsync(dark, "page-dark.png", token);
            await ShootAsync(phone, "page-phone.png", token);
            await dark.Page.Locator("#connections-rows [data-do=details]").First.ClickAsync();
            await Assertions.Expect(dark.Page.Locator("#details-rows")).ToContainTextAsync("Circuit");
            await ShootAsync(dark, "page-connection.png", token);
        }
        finally
        {
            await stop.CancelAsync();
            await PageSetUp.Network.RestartAsync("worker-02", CancellationToken.None);
            await PageUnderTest.PostAsync("/api/v1/workers/worker-03/enable", CancellationToken.None);
            await load;
        }
    }

    private static async Task ShootAsync(PageUnderTest page, string name, CancellationToken token)
    {
        // With a palette: a third of the size, and nobody sees it.
        byte[] whole = await page.Page.ScreenshotAsync();
        var reduced = await ClientProcess.RunAsync("pngquant", ["--speed", "1", "128", "-"], token, input: whole);
        Assert.That(reduced.ExitCode, Is.Zero, reduced.Error);
        byte[] picture = reduced.Bytes;
        Assert.That(picture, Has.Length.LessThanOrEqualTo(MostBytes), name);
        if (Environment.GetEnvironmentVariable("TORBALANCER_SCREENSHOTS") is { Length: > 0 } folder)
            await File.WriteAllBytesAsync(Path.Combine(Repository.Root, folder, name), picture, token);
    }
}
