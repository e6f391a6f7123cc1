using System.Net.Sockets;
using System.Text.Json;
using TorBalancer.Configuration.Options;
using TorBalancer.Server.Limits;
using TorBalancer.Tests.Configuration;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>The figures of users in the API and the metrics, and over a reload.</summary>
[CancelAfter(30_000)]
public sealed class UserViewsTests
{
    private const string Users = "[Health]\nEnabled = no\n"
        + "[Listener:main]\nAddress = 127.0.0.1:0\nAuth = required\nUsers = ann:secret, bob:secret\n";

    [Test]
    public async Task Users_are_listed_and_only_those_with_a_section_have_a_label(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            var listener = options.Listeners[0];
            listener.Auth = ListenerAuth.Required;
            foreach (string name in (string[])["ann", "bob", "cem", "J\u00f6rg"])
                listener.Users.Add(name, "secret");
            listener.Limits.MaxConnectionsPerUser = 1;
            options.Users.Add(new UserOptions { Name = "ann", Bandwidth = 1 << 30 });
        });
        await using var ann = await OpenAsync(admin.Proxy, "ann", 0, token);
        await using var bob = await OpenAsync(admin.Proxy, "bob", 0, token);
        await using var cem = await OpenAsync(admin.Proxy, "cem", 0, token);
        await using var refused = await OpenAsync(admin.Proxy, "bob", 2, token);
        await ann.WriteAsync(new byte[1000], token);
        await ann.ReadExactlyAsync(new byte[1000], token);

        using var document = JsonDocument.Parse(await admin.Client.GetStringAsync($"{admin.Base}/api/v1/users", token));
        var users = document.RootElement.GetProperty("users").EnumerateArray().ToDictionary(
            static user => user.GetProperty("name").GetString()!, static user => user.GetRawText());
        string metrics = await admin.Client.GetStringAsync($"{admin.Base}/metrics", token);
        Assert.Multiple(() =>
        {
            Assert.That(users.Keys, Is.EquivalentTo((string[])["J\u00f6rg", "ann", "bob", "cem"]));
            Assert.That(users["ann"], Is.EqualTo(
                "{\"name\":\"ann\",\"active\":1,\"connections\":1,\"bytes_sent\":1000,\"bytes_received\":1000,"
                    + "\"refused\":{\"max_connections_per_user\":0,\"connection_rate_per_user\":0},"
                    + "\"limits\":{\"bandwidth\":1073741824,\"modes\":[],\"workers\":[],\"countries\":[]}}"));
            Assert.That(users["bob"], Does.Contain("\"active\":1,\"connections\":1,").And.Contain("\"max_connections_per_user\":1,"));
            Assert.That(metrics, Does.Contain("torbalancer_user_active_connections{user=\"ann\"} 1\n"));
            Assert.That(metrics, Does.Contain("torbalancer_user_active_connections{user=\"(others)\"} 2\n"));
            Assert.That(metrics, Does.Contain("torbalancer_user_sent_bytes_total{user=\"ann\"} 1000\n"));
            Assert.That(metrics, Does.Contain("torbalancer_user_refused_total{user=\"(others)\",limit=\"max_connections_per_user\"} 1\n"));
            Assert.That(
                metrics, Does.Contain("torbalancer_limits_refused_total{listener=\"main\",limit=\"max_connections_per_user\"} 1\n"));
            Assert.That(metrics, Does.Not.Contain("bob"));
        });
    }

    [Test]
    public async Task A_reload_changes_limits_and_keeps_what_was_counted(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string rest = ReloadableProxy.Worker("a", worker);
        await using var proxy = await ReloadableProxy.StartAsync(Users + rest);
        await using var first = await OpenAsync(proxy, "ann", 0, token);
        Assert.That((await proxy.ReloadAsync(Users + "MaxConnectionsPerUser = 1\n" + rest)).IsDone, Is.True);
        var account = proxy.Get<UserTable>().Of("ann");
        Assert.That((account.Active, account.Accepted), Is.EqualTo((1, 1)));
        await using var second = await OpenAsync(proxy, "ann", 2, token);
        await using var bob = await OpenAsync(proxy, "bob", 0, token);
        string section = "[User:ann]\nMaxConnections = 2\nBandwidth = 1MiB/s\n";
        Assert.That((await proxy.ReloadAsync(Users + "MaxConnectionsPerUser = 1\n" + rest + section)).IsDone, Is.True);
        await using var third = await OpenAsync(proxy, "ann", 0, token);
        await using var fourth = await OpenAsync(proxy, "ann", 2, token);
        Assert.That(account.Bandwidth.Rate, Is.EqualTo(1 << 20));
        section = section.Replace("1MiB", "2MiB", StringComparison.Ordinal);
        Assert.That((await proxy.ReloadAsync(Users + "DenyTargets = *:80\n" + rest + section)).IsDone, Is.True);
        Assert.That(account.Bandwidth.Rate, Is.EqualTo(2 << 20), "for connections that there are");
        await using var fifth = await OpenAsync(proxy, "bob", 2, token);
        Assert.That((account.Active, account.Accepted, account.Refused[LimitKind.MaxConnectionsPerUser]), Is.EqualTo((2, 2, 2)));
    }

    [TestCase("[User:Ann]\nMaxConnections = 1", "holds for nobody: no listener has a user of this name; did you mean [User:ann]?")]
    [TestCase("[User:ann]\nWorkers = a, none", "there is no [Worker:none]")]
    [TestCase("[Listener:x]\nAddress = 127.0.0.1:1\nBandwidthPerUser = 1MiB/s", "limits nobody: with Auth = none")]
    [TestCase("[Listener:x]\nAddress = 127.0.0.1:1\nAllowFrom = 127.0.0.0/16\nDenyFrom = 127.0.0.0/8", "nobody may connect")]
    public void What_never_holds_is_warned_of(string text, string warning)
    {
        var result = Loading.Text(Users + "[Worker:a]\nAddress = 127.0.0.1\n" + text + "\n");
        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Join(result.Warnings), Does.Contain(warning));
    }

    [TestCase("[User:ann]\nModes = fastes", "did you mean \"fastest\"?")]
    [TestCase("[User:ann]\nBandwidth = 1MiB", "did you mean \"1MiB/s\"?")]
    [TestCase("[User:ann]\nConnectionRate = 20", "did you mean \"20/s\"?")]
    [TestCase("[User:ann]\nCountries = deu", "Countries = \"deu\" is not a country code")]
    public void What_is_wrong_is_named(string text, string error) =>
        Assert.That(Loading.Errors(Users + text + "\n"), Does.Contain(error));

    private static async Task<NetworkStream> OpenAsync(ProxyUnderTest proxy, string user, byte code, CancellationToken token) =>
        await AskAsync(await proxy.ConnectAsync(), user, code, token);

    private static async Task<NetworkStream> OpenAsync(ReloadableProxy proxy, string user, byte code, CancellationToken token) =>
        await AskAsync(await proxy.ConnectAsync(), user, code, token);

    private static async Task<NetworkStream> AskAsync(NetworkStream stream, string user, byte code, CancellationToken token)
    {
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token, user, "secret"))[1], Is.EqualTo(code), user);
        return stream;
    }
}
