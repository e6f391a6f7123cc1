using System.Net;
using System.Text.Json;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// Onion names in every spelling, over every protocol, through real tor: those that name the service reach it, and no exit's name
/// server hears of any (RFC 7686, section 2).
/// </summary>
public sealed class OnionSpellingTests : ScenarioFixture
{
    private const byte Resolve = 0xF0;

    private static readonly ProbeKind[] Ways = [ProbeKind.Socks5, ProbeKind.Socks4a, ProbeKind.Connect, ProbeKind.Absolute];

    /// <summary>{0}: the service's 56 characters; {1}: the same in upper case.</summary>
    private static readonly string[] OfTheService =
        ["{0}.onion", "{0}.onion.", "{1}.ONION", "{1}.Onion.", "www.{0}.onion", "WWW.a_b.{1}.oNiOn."];

    private static readonly string[] OfNobody =
    [
        "{0}.onion..", "{0}.onion...", "www..{0}.onion", ".{0}.onion", ".{0}.onion.", "{0}..onion", "onion", "onion.", "ONION.", ".onion",
        ".onion.", "..onion",
        "x.onion", "x.onion.", "expyuzz4wqqyqhjn.onion.", "a{0}.onion.", "xn--{0}.onion.", "{0}.x.onion.",
    ];

    /// <summary>
    /// Characters that UTS 46 maps to ASCII or to nothing. Only fetch takes its host as characters; elsewhere it is bytes.
    /// </summary>
    private static readonly string[] Mapped =
    [
        "{0}.\uff4f\uff4e\uff49\uff4f\uff4e", "{0}.oni\u00adon", "{0}.\u24de\u24dd\u24d8\u24de\u24dd", "{0}\u3002onion", "{0}\uff0eonion",
        "{0}.onio\u200bn",
        "{0}.on\u0131on", "\uff58.{0}.onion", "{0}%2eonion", "{0}.%6fnion",
    ];

    [Test, CancelAfter(180_000)]
    public async Task No_name_server_hears_of_an_onion_name(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(
            Network.Workers.Select(static node => (EndPoint)new IPEndPoint(IPAddress.Loopback, node.SocksPort)));
        using (Assert.EnterMultipleScope())
        {
            foreach (string host in Spelled(OfTheService))
                await AssertAsync(admin, host, reaches: true, token);
            foreach (string host in Spelled(OfNobody))
                await AssertAsync(admin, host, reaches: false, token);
            foreach (string host in Spelled(Mapped))
                await AssertFetchAsync(admin, host, reaches: false, token);
        }

        // The servers are asked, and what they are asked is seen.
        Assert.That(
            (await ClientProbe.AskAsync(ProbeKind.Socks5, Proxy.Address, "seen-by-dns.test", Network.OriginPort, token)).Code, Is.Zero);
        var asked = Network.NamesAsked.Select(static name => name.ToLowerInvariant()).ToList();
        Assert.That(asked, Does.Contain("seen-by-dns.test"));
        Assert.That(
            asked.Where(
                static name =>
                    name.Contains("onion", StringComparison.Ordinal)
                        || name.Contains("xn--", StringComparison.Ordinal)
                        || name.Any(static c => c > 0x7f)),
            Is.Empty);
    }

    private IEnumerable<string> Spelled(string[] forms)
    {
        string label = Network.OnionAddress[..^".onion".Length];
        return forms.Select(
            form =>
                form.Replace("{0}", label, StringComparison.Ordinal).Replace("{1}", label.ToUpperInvariant(), StringComparison.Ordinal));
    }

    private async Task AssertAsync(AdminUnderTest admin, string host, bool reaches, CancellationToken token)
    {
        foreach (var way in Ways)
        {
            int granted = way switch { ProbeKind.Socks5 => 0, ProbeKind.Socks4a => 0x5A, _ => 200 };
            var answer = await ClientProbe.AskAsync(way, Proxy.Address, host, 80, token);
            Assert.That(answer.Code == granted, Is.EqualTo(reaches), $"{host} over {way}: {answer.Code}");
        }

        // The workers of the network answer with an address of tor's own (AutomapHostsOnResolve).
        await using (var stream = await Proxy.ConnectAsync())
            Assert.That(
                (await SocksClient.RequestAsync(stream, host, 0, token, command: Resolve))[1] == 0, Is.EqualTo(reaches), $"RESOLVE {host}");

        await AssertFetchAsync(admin, host, reaches, token);
    }

    private static async Task AssertFetchAsync(AdminUnderTest admin, string host, bool reaches, CancellationToken token)
    {
        var response = await admin.PostRawAsync(
            "/api/v1/fetch", JsonSerializer.Serialize(new { url = $"http://{host}/exit", timeout = 60 }), token);
        using var fetched = JsonDocument.Parse(await response.Content.ReadAsStringAsync(token));
        bool succeeded = fetched.RootElement.TryGetProperty("success", out var success) && success.GetBoolean();
        Assert.That(succeeded, Is.EqualTo(reaches), $"fetch {host}: {fetched.RootElement.GetRawText()}");
    }
}
