using System.Diagnostics;
using System.Text.RegularExpressions;
using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>What the page looks like to those who do not see it, on small screens, with very much on it, and with hostile names.</summary>
public sealed class PageLookTests
{
    private const int ManyWorkers = 200, ManyConnections = 5000;

    [TestCase(ColorScheme.Light, 1440)]
    [TestCase(ColorScheme.Dark, 1440)]
    [TestCase(ColorScheme.Dark, 390)]
    [CancelAfter(60_000)]
    public async Task Axe_finds_nothing_and_nothing_is_wider_than_the_screen(ColorScheme scheme, int width, CancellationToken token)
    {
        await using var client = await PageUnderTest.ConnectAsync("session-axe", token);
        await using var page = await PageUnderTest.OpenAsync(scheme, width, prepare: static page => Made.ConditionsAsync(page));
        await page.UntilStateAsync("worker-dead", "Dead");
        await Assertions.Expect(page.Page.Locator("#connections-rows > *").First).ToBeVisibleAsync();
        await Assertions.Expect(page.Page.Locator("#blacklist-rows > *").First).ToBeVisibleAsync();
        await page.Page.EvaluateAsync(new BundledAxeScriptProvider().GetScript());

        await AssertNothingFoundAsync(page.Page, "page");
        Assert.That(await page.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"), Is.LessThanOrEqualTo(width));
        Assert.That(
            await page.Page.EvaluateAsync<string[]>(
                "() => [...document.querySelectorAll('section')].filter(one => one.scrollWidth > one.clientWidth).map(one => one.id)"),
            Is.Empty, "no list is wider than its frame");
        await page.Row("workers", "worker-02").Locator("[data-do=details]").ClickAsync();
        await Assertions.Expect(page.Page.Locator("#details-rows dd").First).ToBeVisibleAsync();
        await AssertNothingFoundAsync(page.Page, "details");
        await page.Page.ClickAsync("#details-close");
        await page.Page.Locator("#connections-rows [data-do=close]").First.ClickAsync();
        await AssertNothingFoundAsync(page.Page, "question");
        Assert.That(await page.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"), Is.LessThanOrEqualTo(width));
    }

    [Test, CancelAfter(60_000)]
    public async Task Names_of_hostile_clients_stay_text()
    {
        const string hostile = "<img src=x onerror=\"window.harmed = true\"><script>window.harmed = true</script>";
        await using var page = await PageUnderTest.OpenAsync(prepare: page => Made.HostileAsync(page, hostile), isHostile: true);
        foreach (string list in (string[])["workers", "connections", "sessions", "blacklist"])
            await Assertions.Expect(page.Page.Locator($"#{list}-rows")).ToContainTextAsync(hostile);
        foreach (string list in (string[])["workers", "connections"])
        {
            await page.Page.Locator($"#{list}-rows [data-do=details]").Last.ClickAsync();
            await Assertions.Expect(page.Page.Locator("#details")).ToContainTextAsync(hostile);
            await page.Page.ClickAsync("#details-close");
        }

        await page.Page.Locator("#sessions-rows [data-do=rotate]").Last.ClickAsync();
        await Assertions.Expect(page.Page.Locator("#confirm-title")).ToContainTextAsync(hostile);
        await page.Page.ClickAsync("#confirm-yes");
        await page.UntilNotedAsync("no session is known as");

        Assert.That(await page.Page.Locator("main img, dialog img, #notes img, main script, dialog script").CountAsync(), Is.Zero);
        Assert.That(await page.Page.EvaluateAsync<bool>("() => 'harmed' in window"), Is.False);

        // Nor could they become anything else: the browser itself refuses markup out of text.
        Assert.That(
            await page.Page.EvaluateAsync<string>(
                "() => { try { document.body.innerHTML = '<p>'; return 'made'; } catch (failure) { return failure.name; } }"),
            Is.EqualTo("TypeError"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Two_hundred_workers_and_five_thousand_connections_do_not_stall_it()
    {
        ICDPSession processor = null!;
        long began = Stopwatch.GetTimestamp();
        await using var page = await PageUnderTest.OpenAsync(prepare: async page =>
        {
            processor = await page.Context.NewCDPSessionAsync(page);
            await processor.SendAsync("Performance.enable", new Dictionary<string, object> { ["timeDomain"] = "threadTicks" });
            await page.AddInitScriptAsync("""
                window.tasks = [];
                new PerformanceObserver(list => window.tasks.push(...list.getEntries().map(one => one.duration)))
                    .observe({ type: 'longtask', buffered: true });
                """);
            await Made.ManyAsync(page, ManyWorkers, ManyConnections);
        });
        await Assertions.Expect(page.Page.Locator("#connections-shown")).ToHaveTextAsync("100 of 5,000 connections are shown.");
        var row = await page.Row("connections", "c10").ElementHandleAsync();
        await row.EvaluateAsync("row => row.marked = true");
        await page.Row("connections", "c10").Locator("[data-do=close]").FocusAsync();

        // Another round: counts change, connections come and go.
        await Assertions.Expect(page.Row("connections", "c20").Locator("td").Nth(4)).ToHaveTextAsync("1 s", new() { Timeout = 30_000 });
        await Assertions.Expect(page.Page.Locator("#connections-rows > *")).ToHaveCountAsync(100);
        await Assertions.Expect(page.Page.Locator("#workers-rows > *")).ToHaveCountAsync(100);
        Assert.That(await page.Row("connections", "c10").EvaluateAsync<bool>("row => row.marked"), Is.True, "rows are kept");
        Assert.That(await page.FocusedAsync(), Is.EqualTo("Close connection c10"));
        Assert.That(await page.Page.EvaluateAsync<int>("() => document.querySelectorAll('*').length"), Is.LessThan(5500));

        await page.Page.FillAsync("#connections-find", "worker-150");
        await Assertions.Expect(page.Page.Locator("#connections-shown")).ToHaveTextAsync(new Regex("^2[3-7] of 5,000 connections"));
        await page.Page.FillAsync("#connections-find", "");
        await page.Page.ClickAsync("#connections-more");
        await Assertions.Expect(page.Page.Locator("#connections-rows > *")).ToHaveCountAsync(200);
        double[] tasks = await page.Page.EvaluateAsync<double[]>("() => window.tasks");
        var metrics = (await processor.SendAsync("Performance.getMetrics"))!.Value.GetProperty("metrics").EnumerateArray()
            .ToDictionary(static one => one.GetProperty("name").GetString()!, static one => one.GetProperty("value").GetDouble());
        TestContext.Out.WriteLine(
            $"{tasks.Length} tasks of the main thread took over 50 ms of time, the longest {tasks.Append(0).Max():0} ms; in all of "
                + $"{Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s it had {metrics["TaskDuration"] * 1000:0} ms of the processor");
    }

    private static async Task AssertNothingFoundAsync(IPage page, string what)
    {
        string found = await page.EvaluateAsync<string>("""
            () => axe.run(document, { resultTypes: ['violations'] }).then(result => JSON.stringify(result.violations.map(
                one => ({ id: one.id, nodes: one.nodes.map(node => node.html + ' ' + node.failureSummary) })), null, 1))
            """);
        Assert.That(found, Is.EqualTo("[]"), what);
    }
}
