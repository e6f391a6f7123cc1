using TorBalancer.Primitives;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Connecting;

/// <summary>How often a failure is tried on another worker, by the table of whose fault it is.</summary>
[CancelAfter(30_000)]
public class RetryConnectorTests
{
    [TestCase(0x01, 3)]
    [TestCase(0x02, 2)]
    [TestCase(0x03, 3)]
    [TestCase(0x04, 2)]
    [TestCase(0x05, 1)]
    [TestCase(0x06, 3)]
    [TestCase(0xF0, 2)]
    [TestCase(0xF1, 1)]
    [TestCase(0xF2, 2)]
    [TestCase(0xF3, 2)]
    [TestCase(0xF4, 1)]
    [TestCase(0xF5, 1)]
    [TestCase(0xF6, 1)]
    [TestCase(0xF7, 2)]
    public async Task Failure_is_retried_as_the_table_says(int reply, int attempts, CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(4, worker => worker.Reply = _ => (byte)reply);
        var outcome = await fleet.ConnectAsync("example.com", token);
        Assert.That(outcome.Attempts, Is.EqualTo(attempts));
        Assert.That(outcome.Error.Cause, Is.EqualTo(TorBalancer.Protocols.Socks5.Socks5ReplyMapper.FromReply((byte)reply)));
        Assert.That(fleet.Workers.Sum(static w => w.Requests.Count), Is.EqualTo(attempts));
        Assert.That(fleet.Workers.Max(static w => w.Requests.Count), Is.LessThanOrEqualTo(1), "each attempt at another worker");
    }

    [Test]
    public async Task Target_faults_do_not_count_against_workers_and_their_own_do(CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(2, worker => worker.Reply = _ => 0x05);
        for (int i = 0; i < 10; i++)
            await fleet.ConnectAsync("example.com", token);
        Assert.That(fleet.Pool.Snapshot.All.Select(static w => w.TotalFailures), Is.All.Zero);
        fleet.Workers.ForEach(static worker => worker.CloseAtOnce = true);
        await fleet.ConnectAsync("example.com", token);
        Assert.That(fleet.Pool.Snapshot.All.Select(static w => w.TotalFailures), Is.All.EqualTo(1));
    }

    [Test]
    public async Task A_dead_worker_is_not_felt(CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(3);
        fleet.Workers[0].CloseAtOnce = true;
        await fleet.Workers[1].DisposeAsync();
        for (int i = 0; i < 9; i++)
        {
            var outcome = await fleet.ConnectAsync("example.com", token);
            Assert.That(outcome.WorkerId, Is.EqualTo("worker-03"));
            await outcome.Stream!.DisposeAsync();
        }
    }

    [Test]
    public async Task A_general_failure_for_a_private_address_is_not_retried_and_not_the_workers_fault(CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(3, worker => worker.Reply = _ => 0x01);
        var outcome = await fleet.ConnectAsync("192.168.1.1", token);
        Assert.That(outcome.Attempts, Is.EqualTo(1));
        Assert.That(fleet.Pool.Snapshot.All.Select(static w => w.TotalFailures), Is.All.Zero);
    }

    [Test]
    public async Task The_more_truthful_of_two_failures_is_told(CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(2, worker => worker.Reply = _ => 0x04);
        fleet.Workers[1].CloseAtOnce = true;
        var outcome = await fleet.ConnectAsync("nx.example", token);
        Assert.That((outcome.Attempts, outcome.Error.Cause), Is.EqualTo((2, FailureCause.HostUnreachable)));
    }

    [Test]
    public async Task Leases_are_all_given_back_when_everything_fails(CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(3, worker => worker.Reply = _ => 0x01);
        for (int i = 0; i < 5; i++)
            await fleet.ConnectAsync("example.com", token);
        Assert.That(fleet.Pool.Snapshot.All.Select(static w => w.Active), Is.All.Zero);
    }

    [Test]
    public async Task Cancelling_gives_the_lease_back(CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(1, worker => worker.ReplyGate = new TaskCompletionSource().Task);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(token);
        var connecting = fleet.ConnectAsync("example.com", cancel.Token);
        while (fleet.Workers[0].Requests.IsEmpty)
            await Task.Delay(5, token);
        Assert.That(fleet.Pool.Snapshot.All[0].Active, Is.EqualTo(1), "a connection being dialled counts");
        await cancel.CancelAsync();
        Assert.That(async () => await connecting, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(fleet.Pool.Snapshot.All[0].Active, Is.Zero);
    }
}
