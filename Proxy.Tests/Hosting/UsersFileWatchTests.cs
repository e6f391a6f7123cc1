using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Reload;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reload;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Health;
using TorBalancer.Server;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Hosting;

[CancelAfter(30_000), SupportedOSPlatform("linux")]
public sealed class UsersFileWatchTests
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tbu").FullName;

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Fault_while_a_file_is_put_into_force_is_said_and_tried_again(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string users = Path.Combine(_directory, "users");
        await File.WriteAllTextAsync(users, "bob:first\n", token);
        File.SetUnixFileMode(users, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var proxy = await ReloadableProxy.StartAsync(
            $"[Listener:main]\nAddress = 127.0.0.1:0\nAuth = optional\nUsersFile = {users}\n" + ReloadableProxy.Worker("w1", worker));
        await File.WriteAllTextAsync(users, "ann:second\n", token);
        var binding = new FailingBinding();
        await using var reloader = new ConfigurationReloader(
            proxy.Running, proxy.Live, proxy.Server, proxy.Pool, proxy.Get<WorkerHosts>(), TimeProvider.System,
            proxy.Get<ILogger<ConfigurationReloader>>())
        { Binding = binding };
        var time = new ManualTimeProvider();
        using var watch = new UsersFileWatch(proxy.Running, reloader, time, proxy.Get<ILogger<UsersFileWatch>>());
        await watch.StartAsync(token);

        await LookUntilAsync(() => Said(proxy) == 1);
        Assert.That(proxy.Running.Current.Options.Listeners[0].Users.Keys, Is.EqualTo(["bob"]), "as it was");
        await LookUntilAsync(() => Said(proxy) == 2);
        Assert.That(binding.Asked, Is.EqualTo(2), "once for the file, once a minute later");

        binding.Fails = false;
        await LookUntilAsync(() => proxy.Running.Current.Options.Listeners[0].Users.ContainsKey("ann"));
        await watch.StopAsync(token);

        async Task LookUntilAsync(Func<bool> condition)
        {
            while (!condition())
            {
                token.ThrowIfCancellationRequested();
                time.Advance(TimeSpan.FromSeconds(1));
                await Task.Delay(1, token);
            }
        }
    }

    private static int Said(ReloadableProxy proxy) =>
        proxy.Log.Entries.Count(static entry => entry.Event.Id == HostingEventIds.UsersNotRead);

    private sealed class FailingBinding : IReloadBinding, IPreparedBinding
    {
        private int _asked;

        public volatile bool Fails = true;

        public int Asked => Volatile.Read(ref _asked);

        public IPreparedBinding Prepare(TorBalancerOptions next)
        {
            Interlocked.Increment(ref _asked);
            return Fails ? throw new InvalidOperationException("a fault of ours") : this;
        }

        public void Apply()
        {
        }

        public void Undo()
        {
        }
    }
}
