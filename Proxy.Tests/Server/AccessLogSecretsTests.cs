using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

/// <summary>Whatever is wrong with what a client sent, nothing of a password gets into the log.</summary>
public class AccessLogSecretsTests
{
    private const string Secret = "SECRETA";

    [TestCase("hunter2_mode-SECRETA")]
    [TestCase("hunter2_mode-random_SECRETA-x")]
    [TestCase("hunter2_rotate-SECRETA")]
    [CancelAfter(30_000)]
    public async Task Wrong_parameter_in_a_password_is_logged_by_its_key(string password, CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync();
        await using (var client = await proxy.ConnectAsync())
        {
            await client.WriteAsync((byte[])[5, 1, 2], token);
            await SocksClient.ReadAsync(client, 2, token);
            await client.WriteAsync(SocksClient.Auth("ann", password), token);
            await SocksClient.ReadToEndAsync(client, token);
        }

        await AssertNotLoggedAsync(proxy, "bad_user_parameters", token);
        Assert.That(proxy.Log.Entries.Select(static entry => entry.Message), Has.One.Contains("was refused: "));
    }

    [TestCase("hunter2_worker-SECRETA")]
    [CancelAfter(30_000)]
    public async Task Unknown_worker_in_a_password_is_logged_by_its_key(string password, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using (var client = await proxy.ConnectAsync())
            Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token, "ann", password))[1], Is.EqualTo(1));

        await AssertNotLoggedAsync(proxy, "bad_user_parameters", token);
        Assert.That(
            proxy.Log.Entries.Select(static entry => entry.Message), Has.One.EndsWith("was refused: parameter 'worker' names no worker"));
    }

    [TestCase("GET http://me:SECRETA@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "connection_refused")]
    [TestCase("GET http://me:SECRETA@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "private_target")]
    [TestCase("GET http://me:SECRETA@a..example/ HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request")]
    [TestCase("GET http://me:SECR/ETA@SECRETA:x/ HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request")]
    [TestCase("CONNECT me:SECRETA@a.example:443 HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request")]
    [TestCase("CONNECT a.example:SECRETA HTTP/1.1\r\nHost: SECRETA\r\n\r\n", "bad_request")]
    [TestCase("GET http://h/ HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic SECRETA*\r\n\r\n", "auth_failed")]
    [CancelAfter(30_000)]
    public async Task Request_that_fails_is_logged_without_secrets(string request, string cause, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static _ => 5 };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        using var peer = new ScriptedPeer((await proxy.ConnectAsync()).Socket);
        await peer.SendAsync(request);
        string answer = await peer.ReadThroughAsync($"torbalancer: {cause}\n");
        peer.Dispose();

        Assert.That(answer, Does.Not.Contain(Secret));
        Assert.That(worker.Requests.Select(static one => one.Host), Is.All.EqualTo("a.example"));
        await AssertNotLoggedAsync(proxy, cause, token);
    }

    private static async Task AssertNotLoggedAsync(ProxyUnderTest proxy, string cause, CancellationToken token)
    {
        while (
            !proxy.Log.Entries.Any(
                entry =>
                    entry.Event.Name is "access" or "access_request" && entry.Message.Contains($"cause={cause}", StringComparison.Ordinal)))
            await Task.Delay(5, token);
        Assert.That(proxy.Log.Entries.Select(static entry => $"{entry.Message} {entry.Exception}"), Has.None.Contains(Secret));
    }
}
