using System.Collections.Concurrent;
using Microsoft.Playwright;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>[Admin] Token: the page is there without it, and asks for it.</summary>
public sealed class PageTokenTests
{
    private const string Token = "0123456789abcdef-of-the-test";

    [Test, CancelAfter(60_000)]
    public async Task Token_is_asked_for_sent_with_everything_and_kept_in_the_tab_alone()
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], endPoints: static given => given with { Token = Token });
        await using var page = await PageUnderTest.NewAsync();
        ConcurrentQueue<string?> sent = new(), places = new();
        page.Page.Request += (_, request) =>
        {
            if (request.Url.Contains("/api/", StringComparison.Ordinal))
                sent.Enqueue(request.Headers.GetValueOrDefault("authorization"));
            places.Enqueue(request.Url);
        };
        await page.Page.GotoAsync(admin.Base + "/");
        await Assertions.Expect(page.Page.Locator("#ask")).ToBeVisibleAsync();
        await page.Page.FillAsync("#ask-token", "not-the-right-token");
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Page.Locator("#ask-wrong")).ToHaveTextAsync("The daemon does not take that token.");
        Assert.That(await page.Page.Locator("#workers-rows > *").CountAsync(), Is.Zero);

        // Without it there is nothing to see: the question does not go away.
        await page.Page.Keyboard.PressAsync("Escape");
        await page.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(page.Page.Locator("#ask")).ToBeVisibleAsync();
        await page.Page.FillAsync("#ask-token", Token);
        await page.Page.Keyboard.PressAsync("Enter");
        await page.UntilStateAsync("worker-01", "Healthy");
        await page.Row("workers", "worker-01").Locator("[data-do=steer]").ClickAsync();
        await page.ConfirmAsync("Drain worker-01, the last worker?");
        await page.UntilStateAsync("worker-01", "Draining");

        sent.Clear();
        await page.Page.ReloadAsync();
        await page.UntilStateAsync("worker-01", "Draining");
        await Assertions.Expect(page.Page.Locator("#events-rows")).ToContainTextAsync("worker-01 drains on request");
        Assert.That(sent.ToArray(), Is.Not.Empty.And.All.EqualTo("Bearer " + Token), "the event stream too");
        Assert.That(places.ToArray(), Has.None.Contains(Token));
        Assert.That(await page.Page.EvaluateAsync<int>("() => localStorage.length + document.cookie.length"), Is.Zero);
        await page.Page.ClickAsync("#forget");
        await Assertions.Expect(page.Page.Locator("#ask")).ToBeVisibleAsync();
        Assert.That(await page.Page.EvaluateAsync<int>("() => sessionStorage.length"), Is.Zero);
    }
}
