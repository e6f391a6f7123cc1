using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Names and targets that have no IPv4 address, through exits that speak IPv6.</summary>
public sealed partial class TransparentTests
{
    [Test, CancelAfter(90_000)]
    public async Task Names_and_addresses_of_IPv6_alone_are_reached_over_IPv6(CancellationToken token)
    {
        string served = Made("six");
        await File.WriteAllTextAsync(Path.Combine(served, "index.html"), "over IPv6\n", token);
        await using var server = ForegroundProcess.Start(
        [
            .. _lab.WorldHost.Under, ClientProcess.Require("python3"), "-u", "-m", "http.server", "8096", "--bind", "::", "--directory",
            served,
        ]);
        await server.WaitForLineAsync("Serving HTTP", token);

        string answer = await DigAsync(token, "ipv6.test", "AAAA");
        Assert.That(answer, Does.Match(@"^NOERROR AAAA 2001:db8:80::[12]$"));
        Assert.That(await DigAsync(token, "ipv6.test", "A"), Is.EqualTo("NOERROR"), "it exists, and has none");
        Assert.That(await CurlAsync(0, token, "http://ipv6.test:8096/"), Is.EqualTo("over IPv6\n"));
        Assert.That(await CurlAsync(0, token, "http://[2001:db8:80::2]:8096/"), Is.EqualTo("over IPv6\n"));
        await _daemon.WaitForLineAsync(
            static line => line.Contains("client=fd77:1::2 protocol=transparent target=[2001:db8:80::2]:8096 ", StringComparison.Ordinal)
                && line.Contains("cause=ok", StringComparison.Ordinal), token);

        // Nobody is there: a reset, as over IPv4.
        await AssertResetAsync("2001:db8:80::1", 8097, token);

        // Without a virtual address of its own family a host would not find the service that it asks for.
        string page = await _lab.Lan[0].RunAsync(
            token, "wget", "-6", "-qO-", "--tries=1", "--timeout=40", $"http://{Onion}/exit");
        Assert.That(page, Is.EqualTo("unknown\n"));
    }
}
