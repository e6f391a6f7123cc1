using System.Diagnostics;
using Microsoft.Playwright;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>The page of a real daemon in a real browser: what happens appears, and what is clicked happens.</summary>
public sealed class PageTests
{
    [Test, CancelAfter(120_000), Category(ProgramRun.Native)]
    public async Task Drain_by_another_and_a_killed_worker_appear_by_themselves(CancellationToken token)
    {
        await using var page = await PageUnderTest.OpenAsync();
        await page.UntilStateAsync("worker-01", "Healthy");
        await page.UntilStateAsync("worker-02", "Healthy");

        long began = Stopwatch.GetTimestamp();
        await PageUnderTest.PostAsync("/api/v1/workers/worker-02/drain", token);
        await page.UntilStateAsync("worker-02", "Draining");
        TestContext.Out.WriteLine($"a drain appeared after {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms");
        await Assertions.Expect(page.Page.Locator("#verdict")).ToContainTextAsync("3 of 4 workers");
        await page.UntilNotedAsync("worker-02 drains on request");
        await PageUnderTest.PostAsync("/api/v1/workers/worker-02/enable", token);
        await page.UntilStateAsync("worker-02", "Healthy");

        await PageSetUp.Network.KillAsync("worker-01");
        try
        {
            await page.UntilStateAsync("worker-01", "Recovery");
            await Assertions.Expect(page.Page.Locator("#problems")).ToContainTextAsync("worker-01: recovery (");
            await Assertions.Expect(page.Row("workers", "worker-01").Locator("small").Last).ToContainTextAsync("ConnectionRefused");
            await Assertions.Expect(page.Page.Locator("#events-rows")).ToContainTextAsync("Worker worker-01: suspect -> dead");
        }
        finally
        {
            await PageSetUp.Network.RestartAsync("worker-01", CancellationToken.None);
        }

        await page.UntilStateAsync("worker-01", "Healthy");
        await Assertions.Expect(page.Page.Locator("#problems li")).ToHaveCountAsync(0);
    }

    [Test, CancelAfter(60_000)]
    public async Task Connection_is_shown_with_its_circuit_and_closed_and_a_session_rotated_by_click(CancellationToken token)
    {
        await using var client = await PageUnderTest.ConnectAsync("session-byclick", token);
        await using var page = await PageUnderTest.OpenAsync();
        string session = (await SessionsAsync(token))["byclick"];
        var row = page.Page.Locator("#connections-rows > *", new() { HasText = "echo.test" });
        await Assertions.Expect(row).ToHaveCountAsync(1);
        string id = (await row.GetAttributeAsync("data-key"))!;
        var detail = await PageUnderTest.GetAsync("/api/v1/connections/" + id, token);
        var path = detail.GetProperty("circuit").GetProperty("path");
        Assert.That(path.GetArrayLength(), Is.EqualTo(3));
        string exit = path[2].GetString()!.Split('~')[1];
        await Assertions.Expect(row).ToContainTextAsync(exit);

        await row.Locator("[data-do=details]").ClickAsync();
        foreach (var relay in path.EnumerateArray())
            await Assertions.Expect(page.Page.Locator("#details-rows")).ToContainTextAsync(relay.GetString()!.Split('~')[1]);
        await page.Page.ClickAsync("#details-close");

        await page.Row("sessions", session).Locator("[data-do=rotate]").ClickAsync();
        await page.ConfirmAsync("Rotate session byclick?");
        await page.UntilNotedAsync("Session byclick has a new circuit");

        // Asked first, and nothing is done when the answer is no.
        await row.Locator("[data-do=close]").ClickAsync();
        await page.Page.ClickAsync("#confirm-no");
        await row.Locator("[data-do=close]").ClickAsync();
        await page.ConfirmAsync($"Close connection {id}?");
        Assert.That(async () => await client.ReadAsync(new byte[1], token), Throws.InstanceOf<IOException>());
        await Assertions.Expect(page.Row("connections", id)).ToHaveCountAsync(0);
        await Assertions.Expect(page.Page.Locator("#events-rows")).ToContainTextAsync($"Connection {id} is closed on request");
        await Assertions.Expect(page.Page.Locator("#events-rows")).ToContainTextAsync("Sessions rotated on request: 1");
    }

    [Test, CancelAfter(60_000)]
    public async Task Everything_is_done_by_keyboard_alone_and_the_focus_stays(CancellationToken token)
    {
        await using var client = await PageUnderTest.ConnectAsync("session-bykey", token);
        await using var page = await PageUnderTest.OpenAsync();
        await Assertions.Expect(page.Page.Locator("#connections-rows > *")).ToHaveCountAsync(1);
        var keys = page.Page.Keyboard;

        await keys.PressAsync("Tab");
        Assert.That(await page.FocusedAsync(), Is.EqualTo("Skip to the workers"));
        await TabToAsync("Drain worker-03");
        await keys.PressAsync("Enter");
        await page.UntilStateAsync("worker-03", "Draining");
        await Assertions.Expect(page.Page.Locator(":focus")).ToHaveAttributeAsync("aria-label", "Enable worker-03");
        await keys.PressAsync("Space");
        await page.UntilStateAsync("worker-03", "Healthy");

        await TabToAsync("worker-04");
        await keys.PressAsync("Enter");
        await Assertions.Expect(page.Page.Locator("#details-rows")).ToContainTextAsync("watched by its control port");
        await keys.PressAsync("Escape");
        Assert.That(await page.FocusedAsync(), Is.EqualTo("worker-04"));

        string id = (await page.Page.Locator("#connections-rows > *").GetAttributeAsync("data-key"))!;
        await TabToAsync($"Close connection {id}");
        await keys.PressAsync("Enter");
        Assert.That(await page.FocusedAsync(), Is.EqualTo("Cancel"));
        await keys.PressAsync("Tab");
        await keys.PressAsync("Enter");
        Assert.That(async () => await client.ReadAsync(new byte[1], token), Throws.InstanceOf<IOException>());
        await Assertions.Expect(page.Row("connections", id)).ToHaveCountAsync(0);

        // The row is gone, and with it the button; the list itself has the focus, not the top of the page.
        await Assertions.Expect(page.Page.Locator(":focus")).ToHaveAttributeAsync("id", "connections");

        async Task TabToAsync(string what)
        {
            for (int i = 0; await page.FocusedAsync() != what; i++)
            {
                Assert.That(i, Is.LessThan(60), $"{what} is not reached; last was {await page.FocusedAsync()}");
                await keys.PressAsync("Tab");
            }
        }
    }

    [Test, CancelAfter(60_000)]
    public async Task Last_worker_is_drained_only_after_a_question()
    {
        await using var page = await PageUnderTest.OpenAsync();
        try
        {
            foreach (string other in (string[])["worker-02", "worker-03", "worker-04"])
            {
                await page.Row("workers", other).Locator("[data-do=steer]").ClickAsync();
                await page.UntilStateAsync(other, "Draining");
            }

            await page.UntilStateAsync("worker-01", "Healthy");
            await page.Row("workers", "worker-01").Locator("[data-do=steer]").ClickAsync();
            await page.ConfirmAsync("Drain worker-01, the last worker?");
            await page.UntilStateAsync("worker-01", "Draining");
            await Assertions.Expect(page.Page.Locator("#verdict")).ToContainTextAsync("No worker can carry connections");
        }
        finally
        {
            foreach (var worker in PageSetUp.Network.Workers)
                await PageUnderTest.PostAsync($"/api/v1/workers/{worker.Name}/enable", CancellationToken.None);
        }

        await Assertions.Expect(page.Page.Locator("#verdict")).ToHaveTextAsync("All 4 workers carry connections.");
    }

    /// <summary>A stream that breaks, and requests that get no answer, as when the daemon is stopped.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Page_says_when_the_daemon_is_away_and_comes_back_by_itself()
    {
        await using var worker = new FakeTorWorker();
        var first = await Admin.AdminUnderTest.StartAsync(worker);
        await using var page = await PageUnderTest.NewAsync();
        await page.Page.GotoAsync(first.Base + "/");
        await page.UntilStateAsync("worker-01", "Healthy");
        var address = first.Server.Address!;

        await first.DisposeAsync();
        await Assertions.Expect(page.Page.Locator("#away-word")).ToHaveTextAsync("The daemon does not answer.");
        await Assertions.Expect(page.Page.Locator("#link")).ToHaveTextAsync("away");
        await page.UntilNotedAsync("What is shown is from before");

        await using var second = await Admin.AdminUnderTest.StartAsync(
            [worker.EndPoint], endPoints: places => places with { Address = address });
        second.Proxy.Pool.SetAdministrative(second.Proxy.Pool.Find("worker-01")!, TorBalancer.Workers.WorkerAdministrativeState.Draining);
        await page.UntilStateAsync("worker-01", "Draining");
        await Assertions.Expect(page.Page.Locator("#away")).ToBeHiddenAsync();
        await Assertions.Expect(page.Page.Locator("#link")).ToHaveTextAsync("live");
    }

    /// <summary>Ids of sessions by their names.</summary>
    private static async Task<Dictionary<string, string>> SessionsAsync(CancellationToken token) =>
        (await PageUnderTest.GetAsync("/api/v1/sessions", token)).GetProperty("sessions").EnumerateArray()
            .ToDictionary(static one => one.GetProperty("name").GetString()!, static one => one.GetProperty("id").GetString()!);
}
