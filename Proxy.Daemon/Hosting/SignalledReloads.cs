using System.Diagnostics;
using System.Globalization;
using TorBalancer.Admin.Reload;
using TorBalancer.Daemon.Systemd;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Reloads that a signal asks for: one after the other, and the service manager is told when one begins and when it is over
/// (sd_notify(3)), so that <c>systemctl reload</c> waits for it.
/// </summary>
internal sealed class SignalledReloads(ConfigurationReloader reloader, SystemdNotifier systemd, ServiceStatus status) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private Task _last = Task.CompletedTask;

    /// <summary>Returns at once.</summary>
    public void Ask()
    {
        lock (_lock)
            _last = RunAsync(_last);
    }

    public async ValueTask DisposeAsync()
    {
        Task last;
        lock (_lock)
            last = _last;
        await last;
    }

    private async Task RunAsync(Task before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.SuppressThrowing);

        // CLOCK_MONOTONIC in microseconds, which Stopwatch is on Linux.
        long now = Stopwatch.GetElapsedTime(0).Ticks / TimeSpan.TicksPerMicrosecond;
        systemd.Notify(string.Create(CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={now}"));
        var outcome = await reloader.ReloadAsync("SIGHUP");
        if (!outcome.IsStopping)
            status.Reloaded(outcome.IsDone ? "" : outcome.Errors[0].ToString());
    }
}
