using TorBalancer.Admin.Fetch;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

public class FetchEngineCancelTests
{
    [TestCase("https://a.example/", "http://a.example/", false, Description = "would give up the encryption")]
    [TestCase("https://a.example/", "//b.example/", true)]
    [TestCase("https://a.example/", "https://b.example/", true)]
    [TestCase("http://a.example/", "http://b.example/", true)]
    [TestCase("http://a.example/", "https://a.example/", true)]
    [TestCase(
        "https://a.example/", "http://duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion/", true,
        Description = "encrypts by itself")]
    [TestCase("http://a.example/", "ftp://a.example/", false)]
    [TestCase("http://a.example/", "http://user@a.example/", false)]
    [TestCase("http://a.example/", "", false)]
    [TestCase("http://a.example/", "http://xn--a\u00fc.example/", false, Description = "Uri.IdnHost throws")]
    [TestCase("http://a.example/", "http://b\u00fccher.example/", false)]
    [TestCase("http://a.example/", "//\uff4cocalhost/", false)]
    [TestCase("http://a.example/", "//abc.oni\u00adon/", false)]
    [TestCase("http://a.example/", " http://b.example/ ", true)]
    [TestCase("http://a.example/", "/b\u00fccher", true)]
    [TestCase("http://a.example/b", "?c", true)]
    [TestCase("http://a.example/b", "#c", true)]
    [TestCase("http://[2001:db8::1]/", "/x", true)]
    public void Redirect_is_followed_unless_it_gives_something_up(string from, string location, bool follows) =>
        Assert.That(FetchRedirects.Next(new Uri(from), 302, location), follows ? Is.Not.Null : Is.Null);

    [TestCase("http://A.Example.:80/x", "y?z", "http://a.example/y?z")]
    [TestCase("http://a.example/", "//B.example.:8080/x", "http://b.example:8080/x")]
    [TestCase("http://a.example/", "http://[2001:DB8:0::1]:80/", "http://[2001:db8::1]/")]
    [TestCase("https://a.example:8443/x/", "../y#f", "https://a.example:8443/y#f")]
    [TestCase("http://a.example/", "http://0177.0.0.1/", "http://0177.0.0.1/", Description = "routes refuse it by its own name")]
    public void Redirect_leads_to_the_canonical_host(string from, string location, string expected)
    {
        var next = FetchRedirects.Next(new Uri(from), 302, location)!;
        Assert.That(FetchRequestReader.Text(next, FetchRequestReader.TargetOf(next).Target), Is.EqualTo(expected));
    }

    /// <summary>Its kernel knows the connection for a minute more (tcp_fin_timeout): a FIN alone says nothing.</summary>
    [Test, CancelAfter(150_000), Category("Long")]
    public async Task Caller_that_leaves_ends_its_fetch(CancellationToken token)
    {
        var reached = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                reached.TrySetResult();
                try
                {
                    await SocksClient.ReadToEndAsync(stream, stop);
                }
                finally
                {
                    // Cut, as a rule.
                    ended.TrySetResult();
                }
            },
        };
        await using var admin = await AdminUnderTest.StartAsync(worker);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(token);
        var fetching = admin.PostRawAsync("/api/v1/fetch", """{"url":"http://a.example/","timeout":600}""", leaving.Token);
        await reached.Task.WaitAsync(token);
        var state = admin.Proxy.Pool.Find("worker-01")!;
        Assert.That(state.Active, Is.EqualTo(1));

        await leaving.CancelAsync();

        Assert.That(async () => await fetching, Throws.InstanceOf<OperationCanceledException>());
        await ended.Task.WaitAsync(token);
        while (state.Active != 0)
            await Task.Delay(10, token);
        Assert.That((state.TotalFailures, admin.Proxy.Health.FactsOf(state).Failures), Is.EqualTo((0L, 0.0)), "nobody is blamed for it");
    }
}
