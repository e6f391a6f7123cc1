using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;
using static TorBalancer.Tests.TorControl.Relays.WatchedTor;

namespace TorBalancer.Tests.Server;

/// <summary>The exit of a connection in the access log and in the view of live connections.</summary>
[CancelAfter(30_000)]
public sealed class ExitLookupTests
{
    [Test]
    public async Task Exit_is_shown_where_the_control_port_tells_it(CancellationToken token)
    {
        await using var port = new FakeControlPort { Script = Script };
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], control: port.EndPoint);
        var watch = admin.Proxy.Get<RelayWatchService>();
        watch.Start();
        await UntilAsync(() => watch.FactsOf("worker-01") is { IsConnected: true }, token);

        await using (var client = await admin.Proxy.ConnectAsync())
        {
            Assert.That((await SocksClient.RequestAsync(client, "live.example", 80, token))[1], Is.Zero);
            string password = worker.Requests.Single().Password!;
            int local = worker.LastPeerPort;
            await port.PushAsync(string.Concat(((string[])[
                Built("7", "g,m,e", password),
                .. Opened("1", "7", "live.example:80", password, local)]).Select(static line => $"650 {line}\r\n")));
            await UntilAsync(() => watch.FindExit("worker-01", password, local, null) is not null, token);

            var listed = (await admin.GetAsync("/api/v1/connections", token)).GetProperty("connections").EnumerateArray().Single();
            Assert.That(listed.GetProperty("exit").GetString(), Is.EqualTo(Path("e")));
        }

        var line = (await admin.Proxy.Log.WaitForConnectionsAsync(1, token))[0];
        Assert.That(AccessEntry.Field(line, "exit"), Is.EqualTo(Path("e")));
    }

    [Test]
    public async Task Exit_of_a_request_in_absolute_form_is_shown_too(CancellationToken token)
    {
        await using var port = new FakeControlPort { Script = Script };
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], control: port.EndPoint);
        var watch = proxy.Get<RelayWatchService>();
        watch.Start();
        await UntilAsync(() => watch.FactsOf("worker-01") is { IsConnected: true }, token);
        new HttpScript
        {
            Before = async stop =>
            {
                string password = worker.Requests.Single().Password!;
                int local = worker.LastPeerPort;
                await port.PushAsync(string.Concat(((string[])[
                    Built("7", "g,m,e", password),
                    .. Opened("1", "7", "a.example:80", password, local)]).Select(static line => $"650 {line}\r\n")));
                await UntilAsync(() => watch.FindExit("worker-01", password, local, null) is not null, stop);
            },
        }.On("a.example/", HttpScript.Answer("a")).Behind(worker);

        await using var client = await proxy.ConnectAsync();
        using var peer = new ScriptedPeer(client.Socket);
        await peer.SendAsync("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        Assert.That(await peer.ReadToEndAsync(), Does.EndWith("\r\n\r\na"));

        var line = (await proxy.Log.WaitForAsync("access_request", 1, token))[0];
        Assert.That(AccessEntry.Field(line, "exit"), Is.EqualTo(Path("e")));
    }

    [TestCase("live.example")]
    [TestCase("duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion")]
    public async Task Exit_is_a_dash_without_a_control_port(string host, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using (var client = await proxy.ConnectAsync())
            Assert.That((await SocksClient.RequestAsync(client, host, 80, token))[1], Is.Zero);
        Assert.That(AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token))[0], "exit"), Is.EqualTo("-"));
    }

    private static string? Script(string command)
    {
        if (command.StartsWith("GETINFO circuit-status ", StringComparison.Ordinal))
        {
            return "250-circuit-status=\r\n250-stream-status=\r\n250-network-liveness=up\r\n"
                + "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n250 OK\r\n";
        }

        return command == "GETCONF ExcludeExitNodes" ? "250 ExcludeExitNodes\r\n" : FakeControlPort.DefaultScript(command);
    }
}
