using System.Diagnostics;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text.Json;
using TorBalancer.Onion.Keys;
using TorBalancer.Testnet;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>torbalancer publish as a process, with real tor before and behind it.</summary>
[SupportedOSPlatform("linux")]
public sealed class PublisherScenarioTests
{
    private const int Backends = 2;

    // What docs/onion-services.md promises for a testing network with checks.
    private static readonly TimeSpan Promise = TimeSpan.FromSeconds(90);

    [Test, CancelAfter(240_000), Category(ProgramRun.Native)]
    public async Task Address_is_balanced_over_backends_that_live_and_survives_its_publisher(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        string directory = Directory.CreateTempSubdirectory("tbp").FullName;
        await using var origins = new NamedOrigins(Backends);
        byte[] seed = RandomNumberGenerator.GetBytes(32);
        using var identity = IdentityKey.FromSeed(seed);
        var backends = new List<ClientTor>();
        try
        {
            for (int i = 0; i < Backends; i++)
                backends.Add(await StartBackendAsync(network, directory, i, origins.Port(i), identity.Address.ToString(), token));
            string conf = await WriteConfigurationAsync(network, directory, seed, token);

            var publisher = Publish(conf);
            try
            {
                // A backend whose descriptor comes late is added by a second publication: clients that ask before keep the first one.
                await PublishedOverAsync(Backends, conf, token);
                Assert.That((await FetchAsync(network, identity, "a", 16, token)).Keys, Is.EquivalentTo(new[] { "origin 0", "origin 1" }));
                await ShowsItsStateAsync(conf, directory, identity, token);
                await DrainsAsync(conf, token);

                // As a crash: nothing is cleaned up. Clients notice nothing, before and after it is started anew, and what is drained stays
                // so.
                using (var process = Process.GetProcessById(publisher.Id))
                    process.Kill();
                await publisher.DisposeAsync();
                Assert.That((await FetchAsync(network, identity, "b", 8, token)).Keys, Is.EqualTo(new[] { "origin 1" }));
                publisher = Publish(conf);
                await publisher.WaitForLineAsync("Instance shop/node0: drained since", token);
                Assert.That(await publisher.WaitForLineAsync("is published already", token), Does.Contain("with 3 introduction points"));
                await PublishedOverAsync(1, conf, token);
                Assert.That((await StatusAsync(conf, token)).Output, Does.Match("node0 +drained +since "));
                Assert.That((await FetchAsync(network, identity, "c", 6, token)).Keys, Is.EqualTo(new[] { "origin 1" }));
                await EnablesAsync(conf, publisher, token);
                Assert.That((await FetchAsync(network, identity, "d", 16, token)).Keys, Is.EquivalentTo(new[] { "origin 0", "origin 1" }));

                long died = Stopwatch.GetTimestamp();
                await backends[1].DisposeAsync();
                backends.RemoveAt(1);

                // Meanwhile it is still offered, and clients go on to the other one's introduction points.
                var meanwhile = FetchAsync(network, identity, "e", 8, token);
                await publisher.WaitForLineAsync("Instance shop/node1: down", token);
                await PublishedOverAsync(1, conf, token);
                var took = Stopwatch.GetElapsedTime(died);
                Assert.That((await meanwhile).Keys, Is.EqualTo(new[] { "origin 0" }));
                TestContext.Out.WriteLine($"a killed backend was out of all descriptors after {took.TotalSeconds:0} s");
                Assert.That(took, Is.LessThan(Promise));
                Assert.That((await FetchAsync(network, identity, "f", 8, token)).Keys, Is.EqualTo(new[] { "origin 0" }));
            }
            finally
            {
                TestContext.Out.WriteLine(publisher);
                await publisher.DisposeAsync();
            }
        }
        finally
        {
            foreach (var backend in backends)
                await backend.DisposeAsync();
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<ClientTor> StartBackendAsync(
        TestNetwork network, string directory, int index, int port, string address, CancellationToken token)
    {
        // ob_config must be there before tor reads the option.
        const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        string service = Directory.CreateDirectory(Path.Combine(directory, $"hs{index}"), mine).FullName;
        await File.WriteAllTextAsync(Path.Combine(service, "ob_config"), $"MasterOnionAddress {address}\n", token);
        return await ClientTor.StartAsync(
            network, "", token, $"HiddenServiceDir {service}", $"HiddenServicePort 80 127.0.0.1:{port}",
            "HiddenServiceOnionBalanceInstance 1");
    }

    private static async Task<string> WriteConfigurationAsync(
        TestNetwork network, string directory, byte[] seed, CancellationToken token)
    {
        // PKCS#8 of RFC 8410, as openssl and onionbalance-config write it.
        byte[] der = [.. Convert.FromHexString("302e020100300506032b657004220420"), .. seed];
        string key = Path.Combine(directory, "shop.key"), conf = Path.Combine(directory, "publish.conf");
        await File.WriteAllTextAsync(key, PemEncoding.WriteString("PRIVATE KEY", der), token);
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllLinesAsync(Path.Combine(directory, "extra"), network.ClientTorrc, token);
        var lines = new List<string>
        {
            "[Publisher]", $"Status = unix:{directory}/status", $"DataDirectory = {directory}/data", $"ExtraTorrc = {directory}/extra",
            "[OnionService:shop]", $"Key = {key}",
        };
        for (int i = 0; i < Backends; i++)
        {
            string address = await File.ReadAllTextAsync(Path.Combine(directory, $"hs{i}", "hostname"), token);
            lines.AddRange($"[Instance:shop/node{i}]", $"Address = {address.Trim()}", "HealthCheck = http:80/");
        }

        await File.WriteAllLinesAsync(conf, lines, token);
        return conf;
    }

    private static ForegroundProcess Publish(string conf) => ForegroundProcess.Start([ProgramRun.Daemon, "publish", "--config", conf]);

    private static Task<ProgramResult> StatusAsync(string conf, CancellationToken token, params string[] more) =>
        ProgramRun.RunAsync(ProgramRun.Daemon, ["onion", "status", "--config", conf, .. more], token);

    /// <summary>Both descriptors are at all directories, and offer so many instances.</summary>
    private static async Task PublishedOverAsync(int instances, string conf, CancellationToken token)
    {
        while (await StatusAsync(conf, token) is var status
            && (status.ExitCode != 0 || status.Output.Split($" {instances} instances,").Length != 3))
            await Task.Delay(TimeSpan.FromMilliseconds(300), token);
    }

    private static async Task ShowsItsStateAsync(string conf, string directory, IdentityKey identity, CancellationToken token)
    {
        var shown = await StatusAsync(conf, token, "--json");
        Assert.That(shown.ExitCode, Is.Zero, shown.Error);
        using var view = JsonDocument.Parse(shown.Output);
        var service = view.RootElement.GetProperty("services")[0];
        Assert.That(service.GetProperty("address").GetString(), Is.EqualTo(identity.Address.ToString()));
        Assert.That(
            service.GetProperty("instances").EnumerateArray().Select(static one => one.GetProperty("health").GetString()),
            Is.All.EqualTo("live"));
        Assert.That(view.RootElement.GetProperty("counters").GetProperty("uploads_done").GetInt64(), Is.GreaterThanOrEqualTo(16));

        await ShowsMetricsAndEventsAsync($"{directory}/status", token);

        // Who says nothing gets Onionbalance's JSON.
        using var socket = new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint($"{directory}/status"), token);
        await using var stream = new System.Net.Sockets.NetworkStream(socket);
        using var theirs = await JsonDocument.ParseAsync(stream, cancellationToken: token);
        var one = theirs.RootElement.GetProperty("services")[0];
        Assert.That(
            one.EnumerateObject().Select(static field => field.Name),
            Is.EqualTo(new[] { "instances", "onionAddress", "publishAttemptFirstDescriptor", "publishAttemptSecondDescriptor" }));
        Assert.That(
            one.GetProperty("instances")[0].EnumerateObject().Select(static field => field.Name),
            Is.EqualTo(new[] { "descriptorReceived", "introPointsNum", "introSetModified", "onionAddress" }));
    }

    private static async Task ShowsMetricsAndEventsAsync(string socket, CancellationToken token)
    {
        var metrics = await ClientProcess.CurlAsync(token, "--unix-socket", socket, "http://localhost/metrics");
        Assert.That(
            metrics.Output.Split('\n'),
            Does.Contain("torbalancer_publisher_service_published{service=\"shop\"} 1")
                .And.Contains("torbalancer_publisher_instance_state{service=\"shop\",instance_name=\"node1\",state=\"live\"} 1"));
        var events = await ClientProcess.CurlAsync(
            token, "--unix-socket", socket, "http://localhost/api/v1/events?recent=1000&follow=no");
        foreach (string kind in (string[])["control_port", "consensus", "instance_state", "descriptor_built", "descriptor_published"])
            Assert.That(events.Output, Does.Contain($"event: {kind}\n"));
    }

    private static async Task DrainsAsync(string conf, CancellationToken token)
    {
        var drained = await ProgramRun.RunAsync(ProgramRun.Daemon, ["onion", "drain", "shop", "node0", "--config", conf], token);
        Assert.That(drained.ExitCode, Is.Zero, drained.Error);
        Assert.That((drained.Output, drained.Error), Is.EqualTo(("shop/node0: drained, until it is enabled\n", "")));
        await PublishedOverAsync(1, conf, token);
        var last = await ProgramRun.RunAsync(ProgramRun.Daemon, ["onion", "drain", "shop", "node1", "--config", conf], token);
        Assert.That((last.ExitCode, last.Error), Is.EqualTo(
            (1, "torbalancer onion drain: shop/node1 is the last instance of shop that is not drained\n")));
    }

    private static async Task EnablesAsync(string conf, ForegroundProcess publisher, CancellationToken token)
    {
        var enabled = await ProgramRun.RunAsync(ProgramRun.Daemon, ["onion", "enable", "shop", "node0", "--config", conf], token);
        Assert.That((enabled.Output, enabled.Error), Is.EqualTo(("shop/node0: enabled\n", "")));
        await publisher.WaitForLineAsync("Instance shop/node0: enabled by command", token);
        await PublishedOverAsync(2, conf, token);
    }

    /// <summary>Which backends answer, each asked by a client of its own; every request must be answered.</summary>
    private static async Task<Dictionary<string, int>> FetchAsync(
        TestNetwork network, IdentityKey identity, string user, int count, CancellationToken token)
    {
        // A tor of its own each time: one that has the descriptor already would not show what is published now.
        await using var client = await ClientTor.StartAsync(network, "ExtendedErrors", token);
        var answers = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            var result = await ClientProcess.CurlAsync(
                token, "--max-time", "60", "--proxy", $"socks5h://{user}{i}:p@{client.Socks}", $"http://{identity.Address}/");
            Assert.That(result.ExitCode, Is.Zero, $"{user}{i}: {result.Error}");
            answers[result.Output] = answers.GetValueOrDefault(result.Output) + 1;
        }

        TestContext.Out.WriteLine($"{user}: {string.Join(", ", answers)}");
        return answers;
    }
}
