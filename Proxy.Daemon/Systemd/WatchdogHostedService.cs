using System.Globalization;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon.Systemd;

/// <summary>
/// Tells the service manager that the daemon lives (WatchdogSec=, sd_watchdog_enabled(3)), as long as what carries and judges traffic
/// moves; a process that merely exists is ended and started anew.
/// </summary>
internal sealed partial class WatchdogHostedService(
    SystemdNotifier systemd, Liveness liveness, TimeProvider time, ILogger<WatchdogHostedService> logger)
    : IHostedService, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (IntervalOf(Environment.GetEnvironmentVariable, Environment.ProcessId) is { } interval)
            _running = RunAsync(interval / 4);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Within what time the service manager wants to hear from this process; null: it does not.</summary>
    internal static TimeSpan? IntervalOf(Func<string, string?> environment, int processId)
    {
        if (environment("WATCHDOG_PID") is { Length: > 0 } pid && pid != processId.ToString(CultureInfo.InvariantCulture))
            return null;
        return long.TryParse(environment("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds)
            && microseconds is > 0 and < long.MaxValue / TimeSpan.TicksPerMicrosecond
                ? TimeSpan.FromMicroseconds(microseconds)
                : null;
    }

    /// <param name="period">Between two signs of life, and for each part to move: a quarter of what is allowed.</param>
    private async Task RunAsync(TimeSpan period)
    {
        while (true)
        {
            if (await liveness.FindStuckAsync(period, _stop.Token) is { } stuck)
                Log.Stuck(logger, stuck, period);
            else
                systemd.Notify("WATCHDOG=1");
            await Task.Delay(period, time, _stop.Token);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.Stuck, LogLevel.Error,
            "{Part} did not move within {Period}: the service manager's watchdog is not told that the daemon lives")]
        public static partial void Stuck(ILogger logger, string part, TimeSpan period);
    }
}
