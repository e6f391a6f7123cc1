using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

[CancelAfter(30_000)]
public class DescriptorBudgetTests
{
    private readonly Process _process = new();
    private readonly ManualTimeProvider _clock = new();

    [TestCase(1_000, 64)]
    [TestCase(1_280, 64)]
    [TestCase(4_096, 204)]
    [TestCase(65_536, 3_276)]
    [TestCase(256, 64)]
    [TestCase(180, 40, Description = "half of what is left over, where that is less")]
    public void Reserve_is_a_twentieth_and_at_least_64(int limit, int reserve)
    {
        (_process.Limit, _process.Open) = (limit, 100);
        Assert.That(new DescriptorBudget(_process).Reserve, Is.EqualTo(reserve));
    }

    [Test]
    public void TryTake_leaves_the_reserve_and_what_others_have_open([Values(256, 1_024, 4_096)] int limit)
    {
        (_process.Limit, _process.Open) = (limit, 100);
        var budget = new DescriptorBudget(_process);
        int taken = 0;
        while (budget.TryTake(DescriptorBudget.OfAClient))
            taken += DescriptorBudget.OfAClient;
        Assert.That(taken / 2, Is.EqualTo(budget.MostClients).And.Positive);
        Assert.That(taken + 100, Is.LessThanOrEqualTo(limit - budget.Reserve));
        budget.Return(DescriptorBudget.OfAClient);
        Assert.That(budget.TryTake(DescriptorBudget.OfAClient), Is.True);
        Assert.That(budget.TryTake(1), Is.False);
    }

    [Test]
    public void TryTakeSpare_leaves_an_eighth_to_clients()
    {
        var budget = new DescriptorBudget(_process);
        int spare = 0;
        while (budget.TryTakeSpare(1))
            spare++;
        Assert.That(budget.TryTake(spare / 8), Is.True);
    }

    [Test]
    public async Task WaitAsync_returns_as_soon_as_a_client_leaves(CancellationToken token)
    {
        var budget = Full();
        var waiting = budget.WaitAsync(_clock, token);
        Assert.That(waiting.IsCompleted, Is.False);
        budget.Return(DescriptorBudget.OfAClient);

        // The clock stands still: it was told.
        await waiting;
        Assert.That(budget.IsWaitedFor, Is.False);
        Assert.That(budget.TryTake(DescriptorBudget.OfAClient), Is.True);
    }

    [Test]
    public async Task WaitAsync_sees_what_others_have_closed_after_a_while(CancellationToken token)
    {
        var budget = Full();
        var waiting = budget.WaitAsync(_clock, token);
        _process.Open -= 10;
        _clock.Advance(DescriptorBudget.LookInterval);
        await waiting;
        Assert.That(budget.TryTake(DescriptorBudget.OfAClient), Is.True);
    }

    [Test]
    public async Task WaitAsync_sees_a_limit_that_was_raised(CancellationToken token)
    {
        var budget = Full();
        var waiting = budget.WaitAsync(_clock, token);
        _process.Limit *= 2;
        _clock.Advance(DescriptorBudget.LookInterval);
        await waiting;
        Assert.That(budget.TryTake(DescriptorBudget.OfAClient), Is.True);
    }

    [Test]
    public async Task WaitAsync_asks_for_what_can_be_done_without(CancellationToken token)
    {
        var budget = Full();
        budget.Add(static () => 0, () => budget.Return(DescriptorBudget.OfAClient));
        await budget.WaitAsync(_clock, token);
        Assert.That(budget.TryTake(DescriptorBudget.OfAClient), Is.True);
    }

    /// <summary>The kernel gives out the lowest free number: everything below it is open, whoever has it.</summary>
    [Test]
    public void A_number_of_the_reserve_shows_that_others_have_more_open()
    {
        var budget = new DescriptorBudget(_process);
        int before = budget.MostClients, end = budget.Limit - budget.Reserve;
        Assert.That(budget.MayTrafficHave(end - 1), Is.True);
        Assert.That(budget.MostClients, Is.EqualTo(before));
        Assert.That(budget.MayTrafficHave(end), Is.False);
        Assert.That(budget.MostClients, Is.Zero);
        Assert.That(budget.TryTake(1), Is.False);
    }

    [Test]
    public void Probes_may_have_half_of_the_reserve_and_leave_the_rest_to_the_runtime()
    {
        var budget = new DescriptorBudget(_process);
        int half = budget.Limit - (budget.Reserve / 2);
        Assert.That(budget.MayProbeHave(half - 1), Is.True);
        Assert.That(budget.MayProbeHave(half), Is.False);
    }

    [Test]
    public void The_admin_API_leaves_probes_a_part_that_is_theirs()
    {
        var budget = new DescriptorBudget(_process);
        int quarter = budget.Limit - (budget.Reserve * 3 / 4);
        Assert.That(budget.MayServiceHave(quarter - 1), Is.True);
        Assert.That(budget.MayServiceHave(quarter), Is.False);
        Assert.That(budget.MayProbeHave(quarter), Is.True);
    }

    [Test]
    public async Task WaitAsync_ends_the_one_that_has_waited_longest_behind_its_FIN(CancellationToken token)
    {
        var budget = Full();
        var first = budget.Finished.Add();
        var second = budget.Finished.Add();
        var waiting = budget.WaitAsync(_clock, token);
        Assert.That((first.Value.Task.IsCompleted, second.Value.Task.IsCompleted), Is.EqualTo((true, false)));
        budget.Return(DescriptorBudget.OfAClient);
        await waiting;
        budget.Finished.Remove(first);
        budget.Finished.Remove(second);
        Assert.That(budget.Finished.Count, Is.Zero);
    }

    [Test]
    public async Task WaitAsync_ends_nobody_where_an_idle_place_comes_back(CancellationToken token)
    {
        var budget = Full();
        var finished = budget.Finished.Add();
        budget.WhenPressed(static () => true);
        var waiting = budget.WaitAsync(_clock, token);
        Assert.That(finished.Value.Task.IsCompleted, Is.False);
        budget.Return(DescriptorBudget.OfAClient);
        await waiting;
    }

    /// <summary>A connect to a listener whose queue is full stays under way: SYN is dropped (listen(2)).</summary>
    [Test, Platform("Linux")]
    public async Task Connections_that_are_being_made_are_counted_as_traffic(
        [Values("linux", "sockets")] string engine, CancellationToken token)
    {
        const int dials = 10;
        var budget = new DescriptorBudget(_process);
        int before = budget.MostClients;
        using var linux = engine == "linux" ? new LinuxTransport(new EventLoops(1, null, 0, budget), default) : null;
        ITransport transport = linux ?? (ITransport)new TorBalancer.Transport.Sockets.SocketTransport(TimeProvider.System, default, budget);
        using var listener = new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        listener.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        listener.Listen(0);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var made = Enumerable.Range(0, dials + 1)
            .Select(_ => transport.ConnectAsync(new TransportConnectRequest(listener.LocalEndPoint!), stop.Token).AsTask()).ToList();
        (_process.Limit, _process.Open) = (1_024, 100 + made.Count);
        do
        {
            // The loop makes them one after the other.
            token.ThrowIfCancellationRequested();
            budget.Measure();
            await Task.Yield();
        }
        while (budget.MostClients != before);

        Assert.That(made.Count(static one => !one.IsCompleted), Is.GreaterThan(dials / 2), "those that wait are counted too");
        await stop.CancelAsync();
        foreach (var one in made)
        {
            await ((Task)one).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (one.IsCompletedSuccessfully && one.Result.Connection is { } connection)
                await connection.DisposeAsync();
        }

        _process.Open = 100;
        do
        {
            token.ThrowIfCancellationRequested();
            budget.Measure();
            await Task.Yield();
        }
        while (budget.MostClients != before);
    }

    [Test, Platform("Linux")]
    public void What_cannot_be_counted_any_more_is_as_it_was_last_seen()
    {
        string directory = Directory.CreateTempSubdirectory("tbd").FullName;
        for (int i = 0; i < 4; i++)
            File.WriteAllText(Path.Combine(directory, $"{i}"), "");
        var process = new OpenDescriptors(directory);
        int seen = process.Count();
        Directory.Delete(directory, recursive: true);
        Assert.That((seen, process.Count()), Is.EqualTo((3, 3)), "one is the directory's own");
    }

    [Test]
    public async Task Promises_are_kept_by_many_threads_and_nobody_waits_for_ever(CancellationToken token)
    {
        var budget = new DescriptorBudget(_process);
        int most = budget.MostClients * DescriptorBudget.OfAClient, highest = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                if (!budget.TryTake(most / 2))
                {
                    // The clock stands still, so nothing but a return ends this.
                    await budget.WaitAsync(_clock, token);
                    continue;
                }

                int now = budget.Promised;
                if (now > Volatile.Read(ref highest))
                    Volatile.Write(ref highest, now);
                budget.Return(most / 2);
            }
        })).ToArray());
        Assert.That(budget.Promised, Is.Zero);
        Assert.That(budget.TryTake(most), Is.True);
    }

    [Test, Platform("Linux")]
    public void This_process_has_its_soft_limit_raised_and_counts_what_it_has_open()
    {
        var process = OpenDescriptors.OfProcess();
        int before = process.Count();
        using var one = File.OpenRead("/dev/null");
        using var other = File.OpenRead("/dev/null");
        Assert.That(before, Is.Positive);
        Assert.That(process.Limit, Is.GreaterThan(before));
        Assert.That(new DescriptorBudget(process).Limit, Is.EqualTo(process.Limit));
    }

    private DescriptorBudget Full()
    {
        var budget = new DescriptorBudget(_process);
        Assert.That(budget.TryTake(budget.MostClients * DescriptorBudget.OfAClient), Is.True);
        _process.Open += budget.MostClients * DescriptorBudget.OfAClient;
        budget.Add(() => budget.Promised, static () => { });
        while (budget.TryTake(1))
        {
        }

        return budget;
    }

    private sealed class Process : IOpenDescriptors
    {
        public int Limit { get; set; } = 1_024;

        public int Open { get; set; } = 100;

        public int Count() => Open;
    }
}
