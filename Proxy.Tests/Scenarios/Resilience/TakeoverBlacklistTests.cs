using System.Net.Sockets;
using System.Text.Json;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>What one process avoids, another one that takes over avoids as well: real tors, real processes, an exit that dies.</summary>
public sealed class TakeoverBlacklistTests : ResilienceFixture
{
    private const string Worker = "worker-02";

    private static readonly TimeSpan Rounding = TimeSpan.FromSeconds(1);

    [Test, CancelAfter(300_000)]
    public async Task Exit_is_avoided_by_the_new_process_until_the_same_time(CancellationToken token)
    {
        string directory = DaemonUnderTest.MakeDirectory();
        await using var first = await DaemonUnderTest.StartAsync(
            DaemonUnderTest.ConfigurationFor(Network)
                + "[Blacklist]\nDuration = 45s\nMinRemainingExits = 2\n[Tunnel]\nDrainTimeout = 100ms\n",
            token, directory, socket: $"unix:{directory}/admin.sock");
        await first.WaitForLineAsync(
            static line => line.Contains($"Worker {Worker}: its circuits are watched", StringComparison.Ordinal), token);
        await using var tors = await WatchedWorkers.StartAsync(Network, token);
        var open = new List<NetworkStream>();
        Avoided listed;
        try
        {
            // A session with three tunnels on one circuit, and somebody else's circuit through the same exit.
            foreach (string host in (string[])["kept1.test", "kept2.test", "kept3.test"])
                open.Add(await OpenAsync(first, "session-kept", host, token));
            string victim = (await tors.OpenedAsync(Target("kept1.test"), token)).Stream.Exit, other = "";
            for (int i = 0; other != victim; i++)
            {
                open.Add(await OpenAsync(first, $"session-by{i}", $"by{i}.test", token));
                other = (await tors.OpenedAsync(Target($"by{i}.test"), token)).Stream.Exit;
            }

            var node = Network.Exits.Single(exit => exit.Fingerprint == victim);
            await Network.KillAsync(node.Name);
            try
            {
                listed = await AvoidedAsync(first, victim, token);
                Assert.That(tors[Worker].Excluded[^1], Is.EqualTo("$" + victim));
            }
            finally
            {
                await Network.RestartAsync(node.Name, CancellationToken.None);
            }
        }
        finally
        {
            foreach (var stream in open)
                await stream.DisposeAsync();
        }

        await using var second = await first.SucceedAsync(token);
        Assert.That(await first.Exited.WaitAsync(token), Is.Zero, string.Join('\n', first.Lines));
        Assert.That(tors[Worker].Excluded[^1], Is.EqualTo("$" + listed.Fingerprint), "the old one puts nothing back");
        Assert.That(await AvoidedAsync(second, listed.Fingerprint, token), Is.EqualTo(listed), "since when, until when, and why");

        while ((await ListAsync(second, token)).Count > 0)
            await Task.Delay(50, token);
        Assert.That(TimeProvider.System.GetUtcNow(), Is.GreaterThan(listed.Until - Rounding));
        await UntilAsync(() => tors[Worker].Excluded[^1].Length == 0, Patience, "nothing is excluded any longer", token);
        Assert.That(await second.StopAsync(token), Is.Zero);
    }

    /// <summary>The entry of an exit, once tor goes by it.</summary>
    private static async Task<Avoided> AvoidedAsync(DaemonUnderTest daemon, string fingerprint, CancellationToken token)
    {
        while (true)
        {
            var listed = (await ListAsync(daemon, token)).Find(one => one.Fingerprint == fingerprint && one.IsInForce);
            if (listed is not null)
                return listed;
            await Task.Delay(50, token);
        }
    }

    private static async Task<List<Avoided>> ListAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        var answer = await ClientProcess.CurlAsync(
            token, "--unix-socket", Path.Combine(daemon.Directory, "admin.sock"), "http://localhost/api/v1/blacklist");
        Assert.That(answer.ExitCode, Is.Zero, answer.Error);
        using var json = JsonDocument.Parse(answer.Output);
        return
        [
            .. json.RootElement.GetProperty("relays").EnumerateArray()
                .Where(static one => one.GetProperty("worker").GetString() == Worker)
                .Select(static one => new Avoided(
                    one.GetProperty("fingerprint").GetString()!, one.GetProperty("why").GetString()!,
                    one.GetProperty("since").GetDateTimeOffset(), one.GetProperty("until").GetDateTimeOffset(),
                    one.GetProperty("in_force").GetBoolean())),
        ];
    }

    private async Task<NetworkStream> OpenAsync(DaemonUnderTest daemon, string user, string host, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(daemon.Address, token);
        var stream = new NetworkStream(socket, ownsSocket: true);
        byte[] reply = await SocksClient.RequestAsync(stream, host, Network.EchoPort, token, $"{user}-worker-{Worker}", "x");
        Assert.That(reply[1], Is.Zero, host);
        return stream;
    }

    private string Target(string host) => $"{host}:{Network.EchoPort}";

    private sealed record Avoided(string Fingerprint, string Why, DateTimeOffset Since, DateTimeOffset Until, bool IsInForce);
}
