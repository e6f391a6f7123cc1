using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>A publisher whose tor is somebody else's to run, reached in each way that there is to log in.</summary>
[SupportedOSPlatform("linux")]
public sealed class PublisherControlPortTests
{
    private const string Password = "correct horse";

    [Test, CancelAfter(240_000)]
    public async Task Address_is_published_by_a_tor_that_runs_already_with_checks_by_a_worker(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        using var identity = IdentityKey.Generate();
        await using var fleet = await BackendFleet.StartAsync(network, [identity.Address], 2, 2, token);
        await using var tor = await ClientTor.StartAsync(network, null, token, "ControlPort 127.0.0.1:auto");
        var hashed = await ClientProcess.RunAsync(RealTor.Executable, ["--quiet", "--hash-password", Password], token);
        await using var control = await RealTor.ConnectToAsync(tor.Control, token);
        string port = (await control.GetInfoAsync("net/listeners/control", token)).Split(' ').Select(static one => one.Trim('"'))
            .Single(static one => one.StartsWith("127.0.0.1:", StringComparison.Ordinal));
        string socks = $"\nSocksPort = 127.0.0.1:{network.Workers[0].SocksPort}";

        await PublishesAsync($"ControlPort = unix:{tor.Control}");
        await control.SetConfAsync([new("CookieAuthentication", "1")], token);
        await PublishesAsync($"ControlPort = {port}");
        await control.SetConfAsync(
            [new("CookieAuthentication", "0"), new("HashedControlPassword", hashed.Output.Trim())], token);
        await PublishesAsync($"ControlPort = {port.Split(':')[1]}\nControlPassword = {Password}");

        async Task PublishesAsync(string lines)
        {
            await using var publisher = await OnionPublisher.StartAsync(
                network, identity, fleet.Addresses, token, "HealthCheck = tcp:80", lines + socks);
            await publisher.PublishedAsync(2, token);
            var view = (await publisher.ViewAsync(token))!;
            var checks = view.Services[0].Instances.Select(static one => one.Check);
            Assert.That(checks, Is.All.EqualTo("port 80 took the connection"), publisher.ToString());
        }
    }

    /// <summary>A worker's tor: what it looks up for its clients and what the publisher fetches would disturb each other.</summary>
    [Test, CancelAfter(120_000)]
    public async Task Tor_that_serves_clients_is_refused(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        using var identity = IdentityKey.Generate();
        using var instance = IdentityKey.Generate();
        var worker = network.Workers[0];
        await using var publisher = await OnionPublisher.StartAsync(
            network, identity, [instance.Address], token, tor: $"ControlPort = unix:{worker.ControlPath}");

        string line = await publisher.WaitForLineAsync("torbalancer: the tor at [Publisher] ControlPort serves clients", token);

        Assert.That(line, Does.Contain($"(socks port 127.0.0.1:{worker.SocksPort})").And.Contain("SocksPort 0"));
        Assert.That(await publisher.EndedAsync(token), Is.EqualTo(1));
    }
}
