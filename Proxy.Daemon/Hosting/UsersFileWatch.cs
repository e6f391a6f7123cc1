using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Reload;
using TorBalancer.Configuration.Reload;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Has files of users read again when they change. Looks at what has the name every second rather than being told by the kernel: a look
/// costs one system call, and works whatever takes the file's place (a rename, a link that is turned, a mount, a network file system).
/// </summary>
/// <remarks>
/// A file is read when it has been the same for two looks: whoever writes it in place has finished then, and a second change cannot have
/// the same time.
/// </remarks>
internal sealed partial class UsersFileWatch(
    RunningConfiguration running, ConfigurationReloader reloader, TimeProvider time, ILogger<UsersFileWatch> logger)
    : IHostedService, IDisposable
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>After a reading that changed nothing because of a mistake.</summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMinutes(1);

    /// <summary>Longer than it takes from reading the configuration to the first look.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, FileStatus?> _read = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FileStatus?> _seen = new(StringComparer.Ordinal);
    private Task _watching = Task.CompletedTask;

    // A timestamp; 0: nothing is to be tried again.
    private long _retryAt;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsLinux())
            _watching = WatchAsync();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _watching;
    }

    public void Dispose() => _stop.Dispose();

    private async Task WatchAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            // What stands in the way may be another file, such as a certificate that is half renewed.
            if (HasChanged() || (_retryAt != 0 && time.GetTimestamp() >= _retryAt))
                await ReadAsync();
            await Task.Delay(LookInterval, time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Whatever happens, the watch goes on: a user who was removed must not stay for want of it.</summary>
    private async Task ReadAsync()
    {
        _retryAt = time.GetTimestamp() + ((long)RetryInterval.TotalSeconds * time.TimestampFrequency);
        try
        {
            var outcome = await reloader.ReloadUsersAsync();
            if (outcome.IsDone || outcome.IsStopping)
                _retryAt = 0;
        }
        catch (Exception failure)
        {
            Log.Failed(logger, failure, (int)RetryInterval.TotalSeconds);
        }
    }

    /// <summary>True when a file is another than the one that was read, and has stopped changing.</summary>
    private bool HasChanged()
    {
        bool any = false;
        foreach (var listener in running.Current.Options.Listeners)
        {
            if (listener.UsersFile is not { } path)
                continue;
            var status = FileCalls.StatusOf(path, followLinks: true);
            if (!_read.TryGetValue(path, out var read))
            {
                // It may have changed since it was read with the configuration: then it is read once more.
                long recent = (time.GetUtcNow() - Recent).ToUnixTimeMilliseconds() * 1_000_000;
                read = _read[path] = status is { } first && first.ChangedAt < recent ? status : null;
            }

            if (status != read && _seen.TryGetValue(path, out var seen) && status == seen)
            {
                _read[path] = status;
                any = true;
            }

            _seen[path] = status;
        }

        return any;
    }

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.UsersNotRead, LogLevel.Error,
            "A file of users has changed and could not be put into force; it is tried again in {Seconds} s, or when it changes")]
        public static partial void Failed(ILogger logger, Exception failure, int seconds);
    }
}
