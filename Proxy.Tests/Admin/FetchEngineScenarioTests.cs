using System.Net;
using System.Text.Json;
using TorBalancer.Tests.Scenarios;

namespace TorBalancer.Tests.Admin;

/// <summary>Fetches through real tor.</summary>
public sealed class FetchEngineScenarioTests : ScenarioFixture
{
    [Test, CancelAfter(90_000)]
    public async Task Fetch_by_name_by_onion_over_tls_and_sticky(CancellationToken token)
    {
        var workers = Network.Workers.Select(static node => (EndPoint)new IPEndPoint(IPAddress.Loopback, node.SocksPort));
        await using var admin = await AdminUnderTest.StartAsync(workers, trusted: [Web.Certificate]);

        Assert.That(ExitNames, Does.Contain(BodyOf(await FetchAsync(admin, OriginByName + "/exit", token))));
        Assert.That(BodyOf(await FetchAsync(admin, OriginByOnion + "/exit", token)), Is.EqualTo("unknown\n"));
        Assert.That(BodyOf(await FetchAsync(admin, $"https://web.test:{Web.TlsPort}/", token)), Is.EqualTo("web origin\n"));

        // The worker alone: with conflux tor moves a session to another set of circuits, and so to another exit, as it likes.
        var first = await FetchAsync(admin, OriginByName + "/exit", token, "user-123");
        for (int i = 0; i < 3; i++)
        {
            var again = await FetchAsync(admin, OriginByName + "/exit", token, "user-123");
            Assert.That(again.GetProperty("worker").GetString(), Is.EqualTo(first.GetProperty("worker").GetString()));
            Assert.That(ExitNames, Does.Contain(BodyOf(again)));
        }

        var missing = await admin.FetchAsync("""{"url":"http://nx.test/"}""", token);
        Assert.That(missing.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("host_unreachable"));
    }

    [Test, CancelAfter(90_000)]
    public async Task Fetch_does_not_trust_a_certificate_that_nobody_signed(CancellationToken token)
    {
        var workers = Network.Workers.Select(static node => (EndPoint)new IPEndPoint(IPAddress.Loopback, node.SocksPort));
        await using var admin = await AdminUnderTest.StartAsync(workers);

        var answer = await admin.FetchAsync($$"""{"url":"https://web.test:{{Web.TlsPort}}/"}""", token);

        Assert.That(answer.GetProperty("success").GetBoolean(), Is.False);
        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("target_protocol"));
        Assert.That(answer.GetProperty("error").GetProperty("message").GetString(), Does.Contain("certificate"));
    }

    private static async Task<JsonElement> FetchAsync(AdminUnderTest admin, string url, CancellationToken token, string? key = null)
    {
        var answer = await admin.FetchAsync(JsonSerializer.Serialize(new { url, sticky_key = key, timeout = 60 }), token);
        Assert.That(answer.GetProperty("success").GetBoolean(), Is.True, answer.GetRawText());
        return answer;
    }

    private static string? BodyOf(JsonElement answer) => answer.GetProperty("body").GetString();
}
