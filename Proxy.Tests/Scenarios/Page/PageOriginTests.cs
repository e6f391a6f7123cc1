using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Playwright;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>Pages of other origins in the same browser: whatever they send, they read nothing and change nothing.</summary>
public sealed class PageOriginTests
{
    /// <summary>Everything a page can try without the browser's user, each with what it got.</summary>
    private const string Attack = """
        async admin => {
          const got = {};
          const attempt = async (name, work) => {
            try { got[name] = String(await work()); } catch (failure) { got[name] = 'refused'; }
          };
          const answer = response => response.type === 'opaque' ? 'opaque' : response.text();
          await attempt('read', () => fetch(admin + '/api/v1/workers').then(answer));
          await attempt('page', () => fetch(admin + '/').then(answer));
          await attempt('blind read', () => fetch(admin + '/api/v1/workers', { mode: 'no-cors' }).then(answer));
          await attempt('drain', () => fetch(admin + '/api/v1/workers/worker-02/drain', { method: 'POST' }).then(answer));
          await attempt('blind drain', () => fetch(
            admin + '/api/v1/workers/worker-02/drain', { method: 'POST', mode: 'no-cors', body: '{}' }).then(answer));
          await attempt('json drain', () => fetch(admin + '/api/v1/workers/worker-02/drain', {
            method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } }).then(answer));
          await attempt('delete', () => fetch(admin + '/api/v1/blacklist', { method: 'DELETE' }).then(answer));
          await attempt('beacon', () => navigator.sendBeacon(admin + '/api/v1/workers/worker-03/drain'));
          await attempt('events', () => new Promise(resolve => {
            const source = new EventSource(admin + '/api/v1/events?recent=10');
            source.onmessage = event => resolve(event.data);
            source.addEventListener('worker_state', event => resolve(event.data));
            source.onerror = () => { source.close(); resolve('refused'); };
          }));
          const load = (name, tag, of) => attempt(name, () => new Promise(resolve => {
            const element = Object.assign(document.createElement(tag), of);
            element.onload = () => resolve('loaded');
            element.onerror = () => resolve('refused');
            document.head.append(element);
          }));
          await load('script', 'script', { src: admin + '/page/page.js', type: 'module' });
          await load('old script', 'script', { src: admin + '/page/page.js' });
          await load('style', 'link', { href: admin + '/page/page.css', rel: 'stylesheet' });
          await load('image', 'img', { src: admin + '/page/icon.svg' });
          await attempt('frame', () => new Promise(resolve => {
            const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), { src: admin + '/' }));
            frame.onload = () => { try { resolve(frame.contentDocument.body.textContent); } catch { resolve('refused'); } };
          }).then(text => text ? text : 'refused'));
          await attempt('form', () => new Promise(resolve => {
            const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), { name: 'posted' }));
            const form = document.body.appendChild(Object.assign(document.createElement('form'), {
              action: admin + '/api/v1/workers/worker-04/drain', method: 'post', target: 'posted', enctype: 'text/plain' }));
            frame.onload = () => {
              try { if (frame.contentDocument.URL === 'about:blank') return; resolve(frame.contentDocument.body.textContent); }
              catch { resolve('refused'); }
            };
            form.submit();
          }).then(text => text ? text : 'refused'));
          return got;
        }
        """;

    private static int AdminPort => new Uri(PageSetUp.Admin).Port;

    [TestCase(PageSetUp.EvilHost, TestName = "Page_of_another_site")]
    [TestCase("127.0.0.1", TestName = "Page_of_another_port")]
    [CancelAfter(60_000)]
    public async Task Page_of_another_origin(string host, CancellationToken token)
    {
        // Our own page may, in the same browser: what is refused below is refused for where it comes from.
        await using var ours = await PageUnderTest.OpenAsync();
        Assert.That(
            await ours.Page.EvaluateAsync<int>("() => fetch('/api/v1/workers').then(response => response.status)"), Is.EqualTo(200));

        await using var hostile = await PageUnderTest.NewAsync(isHostile: true);
        await hostile.Page.GotoAsync(string.Create(CultureInfo.InvariantCulture, $"http://{host}:{PageSetUp.Network.OriginPort}/"));
        var statuses = new ConcurrentQueue<int>();
        var network = await hostile.Page.Context.NewCDPSessionAsync(hostile.Page);
        await network.SendAsync("Network.enable");
        network.Event("Network.responseReceivedExtraInfo").OnEvent +=
            (_, what) => statuses.Enqueue(what!.Value.GetProperty("statusCode").GetInt32());
        long events = await EventsAsync(token);

        var got = await hostile.Page.EvaluateAsync<Dictionary<string, string>>(Attack, PageSetUp.Admin);

        foreach (var (attempt, what) in got)
            Assert.That(what, Is.EqualTo("refused").Or.EqualTo("opaque").Or.EqualTo("true"), attempt);
        Assert.That(got, Has.Count.EqualTo(15));

        // They were sent, and it was the daemon that said no, whatever the browser itself keeps from the page.
        // (404: the icon of the hostile page itself.)
        Assert.That(statuses.Distinct(), Is.SubsetOf(new[] { 403, 404 }));
        Assert.That(statuses.Count(static status => status == 403), Is.GreaterThanOrEqualTo(10));
        await NothingChangedAsync(events, token);

        // Led there by a link, nobody sees the page either: what it would be clicked for may not be what its reader wants.
        var window = await hostile.Page.RunAndWaitForPopupAsync(
            () => hostile.Page.EvaluateAsync("admin => { open(admin) }", PageSetUp.Admin + "/"));
        await window.WaitForLoadStateAsync();
        await Assertions.Expect(window.Locator("body")).ToContainTextAsync("requests of web pages from elsewhere are not answered");
    }

    [Test, CancelAfter(60_000)]
    public async Task Name_that_was_rebound_to_us(CancellationToken token)
    {
        await using var hostile = await PageUnderTest.NewAsync(isHostile: true);
        long events = await EventsAsync(token);
        string site = string.Create(CultureInfo.InvariantCulture, $"http://{PageSetUp.ReboundHost}:{AdminPort}");

        // To the browser all of this is one origin: nothing but Host gives it away.
        var opened = await hostile.Page.GotoAsync(site + "/");
        int[] statuses = await hostile.Page.EvaluateAsync<int[]>("""
            async () => {
              const asked = [
                fetch('/api/v1/workers'), fetch('/'), fetch('/page/page.js'), fetch('/api/v1/events'),
                fetch('/api/v1/workers/worker-02/drain', { method: 'POST' }), fetch('/api/v1/blacklist', { method: 'DELETE' }),
              ];
              return (await Promise.all(asked)).map(response => response.status);
            }
            """);

        Assert.That(opened!.Status, Is.EqualTo(421));
        Assert.That(statuses, Has.Length.EqualTo(6).And.All.EqualTo(421));
        await NothingChangedAsync(events, token);
    }

    private static async Task NothingChangedAsync(long events, CancellationToken token)
    {
        var workers = (await PageUnderTest.GetAsync("/api/v1/workers", token)).GetProperty("workers");
        foreach (var worker in workers.EnumerateArray())
            Assert.That(worker.GetProperty("health").GetProperty("administrative").GetString(), Is.EqualTo("enabled"));
        Assert.That(await EventsAsync(token), Is.EqualTo(events), "nothing was done on request");
    }

    /// <summary>How many things were done on request so far.</summary>
    private static async Task<long> EventsAsync(CancellationToken token)
    {
        string text = await PageSetUp.Client.GetStringAsync(PageSetUp.Admin + "/api/v1/events?recent=1000&follow=no", token);
        return text.Split("\n\n").Count(static one => one.Contains("on request", StringComparison.Ordinal));
    }
}
