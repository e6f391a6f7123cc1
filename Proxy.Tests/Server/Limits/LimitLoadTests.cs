using TorBalancer.Configuration.Options;
using TorBalancer.Server.Limits;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Limits;

/// <summary>500 connections a second from 50 users, half of whom want more than they may have.</summary>
[CancelAfter(60_000)]
public class LimitLoadTests
{
    private const int Users = 50, MostAtOnce = 4, Steps = 80, Rate = 8, Burst = 6;

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    [Test]
    public async Task No_user_passes_its_limits_nobody_is_refused_for_another_and_all_is_counted(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], options =>
        {
            options.Engine.Transport = engine;
            options.Log.Access = false;
            var listener = options.Listeners[0];
            listener.Auth = ListenerAuth.Required;
            for (int user = 0; user < Users; user++)
                listener.Users.Add($"u{user}", "secret");
            listener.Limits.MaxConnectionsPerUser = MostAtOnce;
            listener.Limits.ConnectionRatePerUser = new ConnectionRate(Rate, TimeSpan.FromSeconds(1), Burst);
        });
        var users = Enumerable.Range(0, Users).Select(number => new LoadingUser(proxy, number)).ToArray();
        var started = TimeProvider.System.GetTimestamp();
        var connections = new List<Task>();

        // 25 connections in each of 80 steps of 50 ms. The modest ones take part with five a second each, and the greedy with all the rest.
        for (int step = 0; step < Steps; step++)
        {
            for (int i = 0; i < Users / 2; i++)
            {
                var modest = users[i];
                bool isModest = (i + step) % 4 == 0;
                var user = isModest ? modest : users[(Users / 2) + i];
                connections.Add(isModest ? user.ConnectWithinLimitAsync(token) : user.ConnectBesideOthersAsync(token));
            }

            var due = (step + 1) * Step - TimeProvider.System.GetElapsedTime(started);
            if (due > TimeSpan.Zero)
                await Task.Delay(due, token);
        }

        await Task.WhenAll(connections);
        double seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        while (proxy.Server.Connections.Count > 0)
            await Task.Delay(5, token);
        Assert.Multiple(() =>
        {
            foreach (var user in users)
            {
                Assert.That(user.Highest, Is.LessThanOrEqualTo(MostAtOnce), $"{user.Name} at one time");
                Assert.That(user.LetIn, Is.LessThanOrEqualTo(Burst + (Rate * seconds)), $"{user.Name} in a time");
                var account = user.Account;
                long refused = account.Refused[LimitKind.MaxConnectionsPerUser] + account.Refused[LimitKind.ConnectionRatePerUser];
                Assert.That((account.Accepted, refused, account.Active), Is.EqualTo((user.LetIn, user.Refused, 0)), user.Name);
                Assert.That(account.FromClient, Is.EqualTo(user.LetIn), "a byte for each");
            }

            Assert.That(users.Take(Users / 2).Sum(static user => user.Refused), Is.Zero, "a user within its limit");
            Assert.That(users.Skip(Users / 2).Min(static user => user.Refused), Is.Positive, "who wants too much");
            Assert.That(users.Sum(static user => user.LetIn + user.Refused), Is.EqualTo(Steps * (Users / 2)));
        });
    }

    private sealed class LoadingUser(ProxyUnderTest proxy, int number)
    {
        private readonly SemaphoreSlim _mine = new(1);
        private int _open, _highest;
        private long _letIn, _refused;

        public string Name { get; } = $"u{number}";

        public UserAccount Account => proxy.Get<UserTable>().Of(Name);

        public int Highest => _highest;

        public long LetIn => _letIn;

        public long Refused => _refused;

        /// <summary>One after the other, each when the proxy knows that the one before has ended.</summary>
        public async Task ConnectWithinLimitAsync(CancellationToken token)
        {
            await _mine.WaitAsync(token);
            try
            {
                while (Account.Active > 0)
                    await Task.Delay(2, token);
                await ConnectAsync(TimeSpan.FromMilliseconds(150), token);
            }
            finally
            {
                _mine.Release();
            }
        }

        public Task ConnectBesideOthersAsync(CancellationToken token) => ConnectAsync(TimeSpan.FromMilliseconds(400), token);

        private async Task ConnectAsync(TimeSpan hold, CancellationToken token)
        {
            await using var stream = await proxy.ConnectAsync();
            if ((await SocksClient.RequestAsync(stream, "a.example", 80, token, Name, "secret"))[1] != 0)
            {
                Interlocked.Increment(ref _refused);
                return;
            }

            Interlocked.Increment(ref _letIn);
            int open = Interlocked.Increment(ref _open);
            int highest;
            while (open > (highest = Volatile.Read(ref _highest)) && Interlocked.CompareExchange(ref _highest, open, highest) != highest)
            {
            }

            await stream.WriteAsync(new byte[1], token);
            await stream.ReadExactlyAsync(new byte[1], token);
            await Task.Delay(hold, token);

            // What the client has let go of itself is open no more, whenever the proxy hears of it.
            Interlocked.Decrement(ref _open);
        }
    }
}
