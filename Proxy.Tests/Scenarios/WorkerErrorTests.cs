using TorBalancer.Balancing;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Workers that are dead or silent, with every kind of client in front of them.</summary>
[NonParallelizable] // It kills and pauses workers that others use.
public sealed class WorkerErrorTests : ScenarioFixture
{
    private const string First = "worker-03", Second = "worker-04";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private ProxyUnderTest _proxy = null!;

    /// <summary>Always the first one first: so that it is known whom the fault hits.</summary>
    [SetUp]
    public async Task StartOwnProxyAsync() => _proxy = await StartProxyAsync(
        options =>
        {
            ErrorMatrix.AddExtendedListener(options);
            options.Balancing.Mode = SelectionPolicyNames.Failover;
            options.Connect.Timeout = Limit;
            options.Connect.WorkerTimeout = TimeSpan.FromSeconds(1);

            // Every connection is to meet the broken worker first, also the second one.
            options.Balancing.PassOver = TimeSpan.Zero;
        },
        First,
        Second);

    [TearDown]
    public async Task StopOwnProxyAsync() => await _proxy.DisposeAsync();

    [Test, CancelAfter(90_000)]
    public async Task Dead_worker_is_passed_over(CancellationToken token)
    {
        await Network.KillAsync(First);
        try
        {
            await AssertServedAsync(token);
        }
        finally
        {
            await Network.RestartAsync(First, CancellationToken.None);
        }
    }

    [Test, CancelAfter(90_000)]
    public async Task Silent_worker_is_passed_over(CancellationToken token)
    {
        Network.Pause(First);
        try
        {
            await AssertServedAsync(token);
        }
        finally
        {
            Network.Resume(First);
        }
    }

    [Test, CancelAfter(90_000)]
    public async Task All_workers_dead(CancellationToken token)
    {
        await Network.KillAsync(First);
        await Network.KillAsync(Second);
        try
        {
            await ErrorMatrix.AssertAsync(
                _proxy, TestNetwork.OriginName, Network.OriginPort, Limit,
                new Expected(0x01, 0x01, 502, "connection_refused", "worker_refused", 2), token);
        }
        finally
        {
            await Network.RestartAsync(First, CancellationToken.None);
            await Network.RestartAsync(Second, CancellationToken.None);
        }
    }

    [Test, CancelAfter(90_000)]
    public async Task All_workers_silent(CancellationToken token)
    {
        Network.Pause(First);
        Network.Pause(Second);
        try
        {
            await ErrorMatrix.AssertAsync(
                _proxy, TestNetwork.OriginName, Network.OriginPort, Limit,
                new Expected(0x06, 0x06, 504, "connection_timeout", "worker_timeout", 2), token);
        }
        finally
        {
            Network.Resume(First);
            Network.Resume(Second);
        }
    }

    [Test, CancelAfter(60_000)]
    public async Task No_worker_that_may_be_used(CancellationToken token)
    {
        foreach (var worker in _proxy.Pool.Snapshot.All)
            _proxy.Pool.SetOperational(worker, WorkerOperationalState.Dead, "for a test");
        await ErrorMatrix.AssertAsync(
            _proxy, TestNetwork.OriginName, Network.OriginPort, Limit,
            new Expected(0x03, 0x03, 503, "destination_unavailable", "no_worker_available", 0), token);
    }

    [Test, CancelAfter(60_000)]
    public async Task Tunnel_through_a_worker_that_dies_ends_and_the_next_one_is_served(CancellationToken token)
    {
        await using var stream = await _proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, TestNetwork.OriginName, Network.EchoPort, token))[1], Is.Zero);
        await stream.WriteAsync("a"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(stream, 1, token), Is.EqualTo("a"u8.ToArray()));

        await Network.KillAsync(First);
        try
        {
            Assert.That(await EndsAsync(stream, token), Is.True);
            await AssertServedAsync(token);
        }
        finally
        {
            await Network.RestartAsync(First, CancellationToken.None);
        }
    }

    /// <summary>Every kind of client reaches the origin, by the second worker, and each was told of success only.</summary>
    private async Task AssertServedAsync(CancellationToken token)
    {
        int tunnels = _proxy.Log.OfEvent("access").Count();
        var answers = await ErrorMatrix.AskAllAsync(_proxy, TestNetwork.OriginName, Network.OriginPort, Limit, token);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers[ProbeKind.Socks5].Code, Is.Zero);
            Assert.That(answers[ProbeKind.Socks5Extended].Code, Is.Zero);
            Assert.That(answers[ProbeKind.Socks4a].Code, Is.EqualTo(0x5A));
            Assert.That(answers[ProbeKind.Connect].Code, Is.EqualTo(200));
            Assert.That(answers[ProbeKind.Absolute].Code, Is.EqualTo(200));
            Assert.That(answers[ProbeKind.Absolute].Rest, Is.AnyOf(ExitNames));
        }

        var entries = await _proxy.Log.WaitForConnectionsAsync(tunnels + 4, token);
        var request = await _proxy.Log.WaitForAsync("access_request", 1, token);

        // The proxy numbers its workers in the order in which it got them.
        foreach (var entry in entries.Skip(entries.Count - 4).Append(request[^1]))
        {
            Assert.That(AccessEntry.Worker(entry), Is.EqualTo("worker-02"), entry.Message);
            Assert.That(AccessEntry.Field(entry, "attempts"), Is.EqualTo("2"), entry.Message);
        }
    }

    private static async Task<bool> EndsAsync(Stream stream, CancellationToken token)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], token) == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
