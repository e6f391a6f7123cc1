using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Primitives;
using TorBalancer.Processes;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Daemon.Tor;

// What is done over the control port while a worker starts.
internal sealed partial class ManagedTorWorker
{
    private static readonly TimeSpan ControlBound = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan BootstrapPoll = TimeSpan.FromSeconds(5);
    private static readonly ControlConnectionOptions ControlOptions = new();

    private const string Warning = " [warn] ";

    private static readonly string[] AboutTransports = ["Proxy Client:", "managed proxy", "pluggable transport", "bridge"];

    private BootstrapStatus _reported = BootstrapStatus.None;
    private string? _reportedProblem;
    private volatile string? _complaint;

    private async Task<(ControlConnection Control, EndPoint EndPoint)> ConnectAsync(TorProcess process, CancellationToken stopping)
    {
        var credentials = new ControlCredentials(paths.CookiePath(id));
        long began = time.GetTimestamp();
        var pause = TimeSpan.FromMilliseconds(20);
        while (true)
        {
            try
            {
                var endPoint = ControlEndPoint() ?? throw new ControlConnectionException("tor has not said its control port");
                return (await ControlConnection.ConnectAsync(endPoint, credentials, ControlOptions, logger, time, stopping), endPoint);
            }
            catch (ControlConnectionException) when (!process.Exited.IsCompleted && time.GetElapsedTime(began) <= ControlBound)
            {
                // It may still be on its way.
            }

            await Task.WhenAny(process.Exited, Task.Delay(pause, time, stopping));
            stopping.ThrowIfCancellationRequested();
            pause = pause < TimeSpan.FromSeconds(1) ? pause * 2 : pause;
        }
    }

    private EndPoint? ControlEndPoint()
    {
        if (paths.ControlSocket(id) is { } socket)
            return new UnixDomainSocketEndPoint(socket);
        string file = paths.ControlPortFile(id);
        const string prefix = "PORT=";
        string? line = File.Exists(file)
            ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith(prefix, StringComparison.Ordinal))
            : null;
        return line is not null && AddressLiteral.TryParseEndPoint(line.AsSpan(prefix.Length), out var endPoint) ? endPoint : null;
    }

    private async Task<EndPoint> SocksEndPointAsync(ControlConnection control, CancellationToken stopping)
    {
        if (paths.SocksSocket(id) is { } socket)
            return new UnixDomainSocketEndPoint(socket);
        string listeners = await control.GetInfoAsync("net/listeners/socks", stopping);
        var tokens = new ControlTokens(listeners);
        while (tokens.TryWord(out string listener))
        {
            if (AddressLiteral.TryParseEndPoint(listener, out var endPoint) && IPAddress.IsLoopback(endPoint.Address))
                return endPoint;
        }

        throw new IOException("tor listens on no SOCKS port of this machine");
    }

    private async Task FollowBootstrapAsync(ControlConnection control, CancellationToken stopping)
    {
        using var subscription = control.Subscribe();
        await control.SetEventsAsync(["STATUS_CLIENT"], stopping);
        var status = await control.GetBootstrapAsync(stopping);
        Report(status);
        while (!status.IsDone)
        {
            // Asked now and then as well: what the events say is only a hint to look.
            var next = await NextAsync(subscription, stopping) as StatusEvent;
            status = next is null
                ? await control.GetBootstrapAsync(stopping)
                : BootstrapStatus.FromEvent(next) ?? status;
            Report(status);
        }

        await control.SetEventsAsync([], stopping);
    }

    /// <summary>The next event, or null after a while or at the end of the connection.</summary>
    private async Task<ControlEvent?> NextAsync(ControlSubscription subscription, CancellationToken stopping)
    {
        using var poll = new CancellationTokenSource(BootstrapPoll, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(poll.Token, stopping);
        try
        {
            return await subscription.Events.WaitToReadAsync(both.Token)
                && subscription.Events.TryRead(out var message)
                ? message
                : null;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>
    /// What goes wrong between tor and a transport's program, or within that, is no problem of the bootstrap to tor: only its log has it.
    /// </summary>
    private void OnWarning(string line)
    {
        Log.TorWarns(logger, id, line);
        string text = line[(line.IndexOf(Warning, StringComparison.Ordinal) + Warning.Length)..];
        if (Array.Exists(AboutTransports, word => text.Contains(word, StringComparison.OrdinalIgnoreCase)))
            _complaint = text;
    }

    private void Report(BootstrapStatus status)
    {
        const int step = 25;
        if (status is { Warning: null, IsDone: false } && _complaint is { } complaint)
            status = status with { Warning = complaint };
        if (status.Warning is { } warning && warning != _reportedProblem)
        {
            _reportedProblem = warning;
            Log.BootstrapProblem(logger, id, status.Progress, warning, status.Where);
        }

        if (status == _reported)
            return;
        bool milestone = status.Progress / step > _reported.Progress / step;
        Log.Progress(logger, milestone ? LogLevel.Information : LogLevel.Debug, id, status.Progress, status.Summary);
        _reported = status;
        if (!status.IsDone)
            sink.Starting(id, status);
    }
}
