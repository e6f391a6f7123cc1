using System.Globalization;
using TorBalancer.Admin;

namespace TorBalancer.Daemon.Systemd;

/// <summary>
/// The one line that <c>systemctl status</c> shows, kept true (STATUS= in sd_notify(3)): whether clients are served, behind what went
/// wrong with the last reload.
/// </summary>
internal sealed class ServiceStatus(SystemdNotifier systemd, ReadinessJudge readiness, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Between two lines at least: workers that come and go by the second are told of once.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private string _problem = "";
    private string _said = "";
    private Task _following = Task.CompletedTask;

    /// <summary>Says that the start is over, and follows what changes from then on.</summary>
    public void Started()
    {
        Say("READY=1\n");
        if (systemd.IsListenedTo)
            _following = FollowAsync();
    }

    /// <summary>Says that a reload is over.</summary>
    /// <param name="problem">Why it changed nothing; empty: it is in force.</param>
    public void Reloaded(string problem)
    {
        lock (_lock)
            _problem = problem.Length > 0 ? $"The reload failed: {problem}; " : "";
        Say("READY=1\n");
    }

    /// <summary>Says that the end has begun.</summary>
    /// <param name="most">How long it may take.</param>
    public void Stopping(TimeSpan most) => Say(
        string.Create(
            CultureInfo.InvariantCulture, $"STOPPING=1\nEXTEND_TIMEOUT_USEC={most.Ticks / TimeSpan.TicksPerMicrosecond}\n"));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task FollowAsync()
    {
        while (true)
        {
            var changed = readiness.Changed;
            Say();
            await changed.WaitAsync(_stop.Token);
            await Task.Delay(Interval, time, _stop.Token);
        }
    }

    /// <summary>Nothing, when there is nothing new.</summary>
    /// <param name="first">Further assignments, which are sent in any case.</param>
    private void Say(string first = "")
    {
        lock (_lock)
        {
            string line = $"STATUS={_problem}{readiness.Look().Summary}";
            if (line == _said && first.Length == 0)
                return;
            _said = line;
            systemd.Notify(first + line);
        }
    }
}
