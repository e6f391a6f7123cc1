using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Clients that were told "no authentication" and send a user and password all the same: tor takes them too.</summary>
public partial class SocksConnectionTests
{
    [Test]
    public async Task User_and_password_behind_no_authentication_count(CancellationToken token)
    {
        await using var first = new FakeTorWorker();
        await using var second = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([first.EndPoint, second.EndPoint]);
        await using var client = await proxy.ConnectAsync();

        await client.WriteAsync(
            (byte[])[5, 1, 0, .. SocksClient.Auth("worker-worker-02", "x"), .. SocksClient.Request("example.com", 80), .. "hey"u8], token);

        Assert.That(await SocksClient.ReadAsync(client, 4, token), Is.EqualTo(new byte[] { 5, 0, 1, 0 }));
        Assert.That(await SocksClient.ReadReplyAsync(client, token), Is.EqualTo(Success));
        Assert.That(await SocksClient.ReadAsync(client, 3, token), Is.EqualTo("hey"u8.ToArray()));
        Assert.That((first.Accepted, second.Requests.Single().Host), Is.EqualTo((0, "example.com")));
    }

    [TestCase("anna", "right", new byte[] { 1, 0 })]
    [TestCase("anna", "wrong", new byte[] { 1, 1 })]
    [TestCase("sesion-a", "", new byte[] { 1, 1 })]
    public async Task User_and_password_behind_no_authentication_are_checked(
        string user, string password, byte[] expected, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Optional;
            options.Listeners[0].Users.Add("anna", "right");
        });
        await using var client = await proxy.ConnectAsync();
        foreach (byte b in (byte[])[5, 1, 0, .. SocksClient.Auth(user, password)])
        {
            await client.WriteAsync(new[] { b }, token);
            await Task.Yield();
        }

        Assert.That(await SocksClient.ReadAsync(client, 4, token), Is.EqualTo((byte[])[5, 0, .. expected]));
        if (expected[1] != 0)
            Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.Empty);
    }
}
