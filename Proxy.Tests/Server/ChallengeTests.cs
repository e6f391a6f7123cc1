using System.Net;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

/// <summary>Auth = challenge: browsers send a user name only when they are asked for one.</summary>
[CancelAfter(30_000)]
public class ChallengeTests
{
    [Test]
    public async Task First_request_is_asked_for_a_name_and_the_next_on_the_same_connection_is_served(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"u8.ToArray(), token);
        string asked = await ReadHeadAsync(client, token);
        int length = int.Parse(
            asked.Split("\r\n").Single(static line => line.StartsWith("Content-Length: ", StringComparison.Ordinal))[16..],
            System.Globalization.CultureInfo.InvariantCulture);
        await SocksClient.ReadAsync(client, length, token);

        Assert.That(asked, Does.StartWith("HTTP/1.1 407 ").And.Contain("\r\nProxy-Authenticate: Basic realm=\"torbalancer\"\r\n"));
        Assert.That(asked, Does.Not.Contain("Connection: close"));
        Assert.That(worker.Requests, Is.Empty);

        await client.WriteAsync(Connect("ann", ""), token);
        Assert.That(await ReadHeadAsync(client, token), Does.StartWith("HTTP/1.1 200 "));
        Assert.That(proxy.Get<SessionTable>().List().Single().Name, Is.EqualTo("ann"));
    }

    [Test]
    public async Task Any_name_is_a_session_and_that_of_session_name_is_the_same(CancellationToken token)
    {
        await using FakeTorWorker one = new(), two = new(), three = new();
        await using var proxy = await StartAsync(one, two, three);
        string[] names = ["ann", "session-ann", "ben", "ann@a.example", "ann_a_example", "ann@a-example"];
        foreach (string name in names)
        {
            for (int i = 0; i < 2; i++)
            {
                await using var client = await proxy.ConnectAsync();
                await client.WriteAsync(Connect(name, "x"), token);
                Assert.That(await ReadHeadAsync(client, token), Does.StartWith("HTTP/1.1 200 "), name);
            }
        }

        // ann and session-ann are one; names that no session could have do not meet those that they look like.
        string[][] tokens =
            [.. new[] { one, two, three }.Select(static worker => worker.Requests.Select(static request => request.Password!).ToArray())];
        Assert.That(tokens.Sum(static own => own.Length), Is.EqualTo(12));
        Assert.That(tokens.SelectMany(static own => own).Distinct().Count(), Is.EqualTo(5));
        Assert.That(tokens.SelectMany(static own => own.Distinct()), Is.Unique, "each keeps its worker");
    }

    [Test]
    public async Task Password_and_client_tell_sessions_of_one_name_apart(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        foreach (string password in (string[])["", "x", "x"])
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync(Connect("ann", password), token);
            await ReadHeadAsync(client, token);
        }

        string[] tokens = [.. worker.Requests.Select(static request => request.Password!)];
        Assert.That((tokens[0] == tokens[1], tokens[1] == tokens[2]), Is.EqualTo((false, true)));
    }

    [TestCase("ann-lifetime-5m", "", "HTTP/1.1 200 ", Description = "a name of no parameters")]
    [TestCase("session-ann-lifetime-5m", "", "HTTP/1.1 200 ")]
    [TestCase("session-ann-lifetime-never", "", "HTTP/1.1 400 ")]
    [TestCase("", "", "HTTP/1.1 407 ", Description = "nobody said who it is")]
    [TestCase("", "p_session-ann", "HTTP/1.1 200 ")]
    [TestCase("known", "wrong", "HTTP/1.1 407 ", Description = "a user that is configured")]
    [TestCase("known", "secret", "HTTP/1.1 200 ")]
    [TestCase("tor-iso", "x", "HTTP/1.1 200 ")]
    public async Task Names_are_read_as_elsewhere(string user, string password, string expected, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(Connect(user, password), token);

        Assert.That(await ReadHeadAsync(client, token), Does.StartWith(expected));
        if (expected.Contains("200", StringComparison.Ordinal))
            Assert.That(proxy.Get<SessionTable>().Count, Is.EqualTo(user == "tor-iso" ? 0 : 1));
    }

    [Test]
    public async Task Absolute_form_is_asked_as_well_and_SOCKS_is_not(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using (var client = await proxy.ConnectAsync())
        {
            await client.WriteAsync("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"u8.ToArray(), token);
            Assert.That(await ReadHeadAsync(client, token), Does.StartWith("HTTP/1.1 407 "));
        }

        await using var socks = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(socks, "a.example", 80, token))[1], Is.Zero);
        Assert.That(proxy.Get<SessionTable>().Count, Is.Zero);
    }

    private static Task<ProxyUnderTest> StartAsync(params FakeTorWorker[] workers) => ProxyUnderTest.StartAsync(
        workers.Select(static worker => worker.EndPoint),
        static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Challenge;
            options.Listeners[0].Users["known"] = "secret";
        });

    private static byte[] Connect(string user, string password) => Encoding.ASCII.GetBytes(
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic "
            + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")) + "\r\n\r\n");

    private static async Task<string> ReadHeadAsync(Stream stream, CancellationToken token)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, token) > 0)
            head.Append((char)one[0]);
        return head.ToString();
    }
}
