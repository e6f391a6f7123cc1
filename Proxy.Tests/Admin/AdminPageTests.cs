using System.Net;
using System.Net.Http.Headers;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>The page's files as they are served; what the page does is in Scenarios/Page.</summary>
[CancelAfter(30_000)]
public sealed class AdminPageTests
{
    [TestCase("/", "text/html")]
    [TestCase("/page/page.css", "text/css")]
    [TestCase("/page/page.js", "text/javascript")]
    [TestCase("/page/icon.svg", "image/svg+xml")]
    public async Task File_is_served_without_the_token_and_with_its_headers(string path, string type, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync([], endPoints: static places => places with { Token = "0123456789abcdef" });
        var response = await admin.Client.GetAsync(admin.Base + path, token);
        int length = (await response.Content.ReadAsByteArrayAsync(token)).Length;

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo(type));
        Assert.That(response.Content.Headers.ContentLength, Is.EqualTo(length).And.Positive);
        Assert.That(response.Headers.CacheControl!.NoCache, Is.True);
        Assert.That(Header("X-Content-Type-Options"), Is.EqualTo("nosniff"));
        Assert.That(Header("Referrer-Policy"), Is.EqualTo("no-referrer"));
        Assert.That(Header("Cross-Origin-Resource-Policy"), Is.EqualTo("same-origin"));
        Assert.That(Header("Cross-Origin-Opener-Policy"), Is.EqualTo("same-origin"));
        Assert.That(Header("Content-Security-Policy"), Does.StartWith("default-src 'none'; script-src 'self'; style-src 'self';")
            .And.Contain("frame-ancestors 'none'").And.Contain("form-action 'none'").And.Not.Contain("unsafe"));

        // Asked again it costs no more than the question; another version has another tag.
        using var again = new HttpRequestMessage(HttpMethod.Get, admin.Base + path);
        again.Headers.IfNoneMatch.Add(response.Headers.ETag!);
        var known = await admin.Client.SendAsync(again, token);
        Assert.That(known.StatusCode, Is.EqualTo(HttpStatusCode.NotModified));
        Assert.That(known.Headers.ETag, Is.EqualTo(response.Headers.ETag));
        using var other = new HttpRequestMessage(HttpMethod.Get, admin.Base + path);
        other.Headers.IfNoneMatch.Add(new EntityTagHeaderValue("\"another\""));
        Assert.That((await admin.Client.SendAsync(other, token)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        var head = await admin.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, admin.Base + path), token);
        Assert.That(head.Content.Headers.ContentLength, Is.EqualTo(length));
        Assert.That(await head.Content.ReadAsByteArrayAsync(token), Is.Empty);

        string Header(string name) => response.Headers.GetValues(name).Single();
    }

    /// <summary>Nothing from elsewhere, nothing inline, and no way from text to markup.</summary>
    [Test]
    public void Files_name_nothing_outside_and_make_no_markup_of_text()
    {
        string folder = Path.Combine(Architecture.Repository.Root, "Proxy.Daemon/Admin/Page");
        Assert.That(Directory.GetFiles(folder), Has.Length.GreaterThanOrEqualTo(4));
        foreach (string file in Directory.EnumerateFiles(folder))
        {
            string text = File.ReadAllText(file).Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal);
            Assert.That(text, Does.Not.Match("https?://|innerHTML|outerHTML|insertAdjacentHTML|document\\.write|eval\\("), file);
            Assert.That(text, Does.Not.Match("<[^>]* (on[a-z]+|style)=|<style|<script(?![^>]*src=)"), file);
            Assert.That(text.Split('\n'), Has.Length.LessThanOrEqualTo(400), file);
        }
    }
}
