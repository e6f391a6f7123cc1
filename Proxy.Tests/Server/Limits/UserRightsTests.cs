using System.Net.Sockets;
using TorBalancer.Admin.Explain;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Server.Limits;

/// <summary>The modes, workers and countries of a user; and explain, which asks those who decide.</summary>
[CancelAfter(30_000)]
public class UserRightsTests
{
    [Test]
    public async Task A_user_has_only_its_own_modes_workers_and_countries(CancellationToken token)
    {
        await using FakeTorWorker german = new(), french = new(), other = new();
        await using var proxy = await StartAsync([german, french, other]);
        for (int i = 0; i < 6; i++)
        {
            Assert.That(await AskAsync(proxy, "ann", token), Is.Zero);
            Assert.That(await AskAsync(proxy, "bob", token), Is.Zero);
        }

        Assert.That((german.Requests.Count, french.Requests.Count, other.Requests.Count), Is.EqualTo((3, 9, 0)));
        Assert.Multiple(async () =>
        {
            Assert.That(await AskAsync(proxy, "ann-country-de", token), Is.Zero);
            Assert.That(await AskAsync(proxy, "ann-country-us", token), Is.EqualTo(2));
            Assert.That(await AskAsync(proxy, "ann-worker-other", token), Is.EqualTo(2), "not of its countries");
            Assert.That(await AskAsync(proxy, "bob-worker-german", token), Is.EqualTo(2));
            Assert.That(await AskAsync(proxy, "bob-mode-random", token), Is.EqualTo(2));
            Assert.That(await AskAsync(proxy, "bob-session-x", token), Is.EqualTo(2), "a session is sticky");
            Assert.That(await AskAsync(proxy, "bob-mode-failover", token), Is.Zero);
        });
    }

    [TestCase("ann", "a.example:443", null, "german", "round_robin", "pool")]
    [TestCase("bob", "a.example:443", null, "french", "failover", "user")]
    [TestCase("bob-mode-random", "a.example:443", "user_not_permitted: the mode that was asked for is not in [User:bob] Modes", null,
        "random", "user")]
    [TestCase("ann", "a.example:25", "route_rejected: [Listener:main] DenyTargets has *:25", null, "round_robin", "pool")]
    public async Task Explain_names_the_rule_that_decides(
        string user, string target, string? error, string? chosen, string mode, string modeFrom)
    {
        await using FakeTorWorker german = new(), french = new(), other = new();
        await using var proxy = await StartAsync([german, french, other]);
        var (view, problem) = proxy.Get<Explainer>().Explain(new ExplainParameters(target, user, null, null, null));
        Assert.That(problem, Is.Null);
        Assert.That(view!.Error is null ? null : $"{view.Error.Cause}: {view.Error.Message}", Is.EqualTo(error));
        Assert.That((view.Chosen, view.Mode, view.ModeFrom), Is.EqualTo((chosen, mode, modeFrom)));
        Assert.That(view.Route, Is.EqualTo(error is null ? "socks" : "reject"));
        if (error is null)
        {
            Assert.That(view.Candidates.Single(static one => one.Worker == "other").Why, Is.EqualTo("not one that the user may use"));
            Assert.That(view.Candidates.Single(static one => one.Worker == "other").Odds, Is.Zero);
        }
        else
        {
            Assert.That(view.RouteWhy, Does.EndWith(view.Error!.Message));
        }
    }

    private static async Task<byte> AskAsync(ProxyUnderTest proxy, string user, CancellationToken token)
    {
        await using var stream = await proxy.ConnectAsync();
        return (await SocksClient.RequestAsync(stream, "a.example", 80, token, user, "secret"))[1];
    }

    private static Task<ProxyUnderTest> StartAsync(FakeTorWorker[] workers)
    {
        (string Id, string Country)[] names = [("german", "de"), ("french", "fr"), ("other", "us")];
        return ProxyUnderTest.StartAsync(
            [.. names.Zip(workers, static (name, worker) => new WorkerModel(name.Id, worker.EndPoint) { Country = name.Country })],
            static options =>
            {
                options.Balancing.Mode = "round_robin";
                var listener = options.Listeners[0];
                listener.Auth = ListenerAuth.Required;
                listener.Users.Add("ann", "secret");
                listener.Users.Add("bob", "secret");
                Assert.That(
                    TorBalancer.Configuration.Syntax.Values.Targets.Parse("*:25", default, out var denied), Is.Null);
                listener.DenyTargets.Add(denied[0]);
                options.Users.Add(new UserOptions { Name = "ann", Countries = { "de", "fr" } });
                options.Users.Add(new UserOptions { Name = "bob", Modes = { "failover" }, Workers = { "French" } });
            });
    }
}
