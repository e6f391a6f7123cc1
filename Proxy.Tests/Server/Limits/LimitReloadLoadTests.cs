using System.Globalization;
using System.Runtime.Versioning;
using System.Text;
using TorBalancer.Admin.Reload;
using TorBalancer.Server.Limits;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Limits;

/// <summary>
/// 500 connections a second from 50 users, half of whom want more than they may have, while limits and the file of users change under them:
/// written in place and anew, cut off, gone, no file at all.
/// </summary>
[CancelAfter(90_000), SupportedOSPlatform("linux")]
public class LimitReloadLoadTests
{
    private const int Users = 50, Steps = 80, ChangeEach = 4;

    // The limits that take turns; who is modest is within the lower ones.
    private const int LowAtOnce = 4, HighAtOnce = 6, LowRate = 8, HighRate = 12, LowBurst = 6, HighBurst = 9;

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    [Test]
    public async Task No_user_passes_the_limits_and_nobody_is_turned_away_for_a_reload(
        [Values("linux", "sockets")] string engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = Directory.CreateTempSubdirectory("tbl").FullName, file = Path.Combine(directory, "users");
        try
        {
            Replace(file, UsersText(0));
            await using var proxy = await ReloadableProxy.StartAsync(ConfigurationText(file, engine, worker, isHigh: false));
            var users = Enumerable.Range(0, Users).Select(number => new LoadingUser(proxy, number)).ToArray();
            long started = TimeProvider.System.GetTimestamp();
            var connections = new List<Task>();
            int changes = 0;
            var changing = Task.CompletedTask;
            for (int step = 0; step < Steps; step++)
            {
                if (step % ChangeEach == 0 && changing.IsCompleted)
                {
                    await changing;
                    int change = changes++;
                    changing = Task.Run(() => ChangeAsync(proxy, file, engine, worker, change), token);
                }

                for (int i = 0; i < Users / 2; i++)
                {
                    bool isModest = (i + step) % 4 == 0;
                    connections.Add(isModest ? users[i].ConnectWithinLimitAsync(token) : users[(Users / 2) + i].ConnectAsync(400, token));
                }

                var due = ((step + 1) * Step) - TimeProvider.System.GetElapsedTime(started);
                if (due > TimeSpan.Zero)
                    await Task.Delay(due, token);
            }

            await changing;
            await Task.WhenAll(connections);
            double seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
            while (proxy.Server.Connections.Count > 0)
                await Task.Delay(5, token);
            Assert.Multiple(() =>
            {
                Assert.That(changes, Is.GreaterThan(8), "every kind of change once");
                foreach (var user in users)
                {
                    Assert.That(user.Highest, Is.LessThanOrEqualTo(HighAtOnce), $"{user.Name} at one time");
                    Assert.That(user.LetIn, Is.LessThanOrEqualTo(HighBurst + (HighRate * seconds)), $"{user.Name} in a time");
                    var account = user.Account;
                    long refused = account.Refused[LimitKind.MaxConnectionsPerUser] + account.Refused[LimitKind.ConnectionRatePerUser];
                    Assert.That((account.Accepted, refused, account.Active), Is.EqualTo((user.LetIn, user.Refused, 0)), user.Name);
                }

                Assert.That(users.Take(Users / 2).Sum(static user => user.Refused), Is.Zero, "a user within its limit");
                Assert.That(users.Skip(Users / 2).Min(static user => user.Refused), Is.Positive, "who wants too much");
                Assert.That(users.Min(static user => user.LetIn), Is.Positive, "nobody starves");
                Assert.That(users.Sum(static user => user.LetIn + user.Refused), Is.EqualTo(Steps * (Users / 2)));
            });
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Each of them in turn. A file that cannot be taken changes nothing, and is whole again when the next change comes.</summary>
    private static async Task ChangeAsync(ReloadableProxy proxy, string file, string engine, FakeTorWorker worker, int number)
    {
        var reloader = proxy.Get<ConfigurationReloader>();
        bool isTaken = true;
        switch (number % 8)
        {
            case 0 or 4:
                var outcome = await proxy.ReloadAsync(ConfigurationText(file, engine, worker, isHigh: number % 8 == 0));
                Assert.That(outcome.IsDone, string.Join('\n', outcome.Errors));
                return;
            case 1:
                Replace(file, UsersText(number));
                break;
            case 2:
                await File.WriteAllTextAsync(file, UsersText(number));
                break;
            case 3:
                string whole = UsersText(number);
                await File.WriteAllTextAsync(file, whole[..(whole.Length - 3)].TrimEnd('\n') + "\nu0");
                isTaken = false;
                break;
            case 5:
                File.Delete(file);
                isTaken = false;
                break;
            case 6:
                File.Delete(file);
                await MakePipeAsync(file);
                isTaken = false;
                break;
            default:
                await File.WriteAllBytesAsync(file, [.. Encoding.ASCII.GetBytes(UsersText(number)), 0, 0xFF, 0xFE]);
                isTaken = false;
                break;
        }

        var read = await reloader.ReloadUsersAsync();
        Assert.That(read.IsDone, Is.EqualTo(isTaken), $"change {number % 8}: {string.Join('\n', read.Errors)}");
        if (!isTaken)
            Replace(file, UsersText(number));
    }

    private static async Task MakePipeAsync(string path)
    {
        var made = await ProgramRun.RunAsync("mkfifo", [path], CancellationToken.None);
        Assert.That(made.ExitCode, Is.Zero, made.Error);
    }

    private static void Replace(string file, string text)
    {
        File.WriteAllText(file + ".new", text);
        File.SetUnixFileMode(file + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(file + ".new", file, overwrite: true);
    }

    /// <summary>The same users each time, in another order, and one who comes and goes.</summary>
    private static string UsersText(int number) => string.Concat(
        Enumerable.Range(0, Users).Select(i => $"u{(i + number) % Users}:secret\n").Append($"guest{number}:secret\n"));

    private static string ConfigurationText(string file, string engine, FakeTorWorker worker, bool isHigh) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        [Listener:main]
        Address = 127.0.0.1:0
        Auth = required
        UsersFile = {file}
        MaxConnectionsPerUser = {(isHigh ? HighAtOnce : LowAtOnce)}
        ConnectionRatePerUser = {(isHigh ? HighRate : LowRate)}/s burst {(isHigh ? HighBurst : LowBurst)}
        [Engine]
        Transport = {engine}
        [Health]
        Enabled = no
        [Log]
        Access = no
        {ReloadableProxy.Worker("w1", worker)}
        """);

    private sealed class LoadingUser(ReloadableProxy proxy, int number)
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
                await ConnectAsync(150, token);
            }
            finally
            {
                _mine.Release();
            }
        }

        /// <param name="hold">Milliseconds.</param>
        public async Task ConnectAsync(int hold, CancellationToken token)
        {
            await using var stream = await proxy.ConnectAsync();
            if ((await SocksClient.RequestAsync(stream, "a.example", 80, token, Name, "secret"))[1] != 0)
            {
                Interlocked.Increment(ref _refused);
                return;
            }

            Interlocked.Increment(ref _letIn);
            int open = Interlocked.Increment(ref _open), highest;
            while (open > (highest = Volatile.Read(ref _highest)) && Interlocked.CompareExchange(ref _highest, open, highest) != highest)
            {
            }

            await Task.Delay(hold, token);
            Interlocked.Decrement(ref _open);
        }
    }
}
