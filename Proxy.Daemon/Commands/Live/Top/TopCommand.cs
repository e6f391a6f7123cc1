using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live.Top;

/// <summary><c>torbalancer top</c>: the pool, live, with keys.</summary>
internal static class TopCommand
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(200), Longest = TimeSpan.FromMinutes(1);

    public static Command Create()
    {
        var interval = new Option<TimeSpan>("--interval")
        {
            Description = "Time between two looks, 200ms to 1m (default 1s)",
            HelpName = "TIME",
            CustomParser = static result =>
            {
                string text = result.Tokens is [var token] ? token.Value : "";
                if (Values.Duration(Shortest, Longest).Parse(text, default, out var value) is { } problem)
                    result.AddError($"--interval {text} {problem.What}; allowed is a duration from 200ms to 1m");
                return value;
            },
        };
        var count = new Option<int?>("--count")
        {
            Description = "End after so many looks; into a pipe or a file it is one",
            HelpName = "N",
        };
        count.Validators.Add(static result =>
        {
            if (result.Tokens is [var token]
                && !(int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int looks) && looks > 0))
                result.AddError($"--count {token.Value} is not allowed; a whole number from 1 on is");
        });
        var command = new Command(
            "top", "Show workers, rates and connections as they change; keys sort, drain, enable and close.") { interval, count };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            var every = parsed.GetResult(interval) is null ? TimeSpan.FromSeconds(1) : parsed.GetValue(interval);
            int? looks = parsed.GetValue(count);
            var watch = new TopWatch(session);

            // Nobody answers: that is said before the screen is taken.
            await watch.LookAsync(cancellationToken);
            using var terminal = session.IsTerminal ? KeyTerminal.Open(session.Output, Environment.GetEnvironmentVariable) : null;
            if (terminal is null)
                await PrintAsync(session, watch, every, looks ?? 1, cancellationToken);
            else
                await new TopScreen(session, watch, terminal).RunAsync(every, looks, cancellationToken);
            return ExitCodes.Done;
        });
    }

    /// <summary>Screen after screen as plain text. The first look is only there for the rates.</summary>
    private static async Task PrintAsync(
        DaemonSession session, TopWatch watch, TimeSpan every, int looks, CancellationToken cancellationToken)
    {
        for (int i = 0; i < looks; i++)
        {
            await Task.Delay(every, cancellationToken);
            await watch.LookAsync(cancellationToken);
            foreach (string line in watch.View.Lines(session.Place, session.Style, session.Width, height: 0))
                await session.Output.WriteLineAsync(line);
            if (i < looks - 1)
                await session.Output.WriteLineAsync();
        }
    }
}

/// <summary>Asks the daemon, and keeps what it said for the view.</summary>
internal sealed class TopWatch(DaemonSession session)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    public TopView View { get; } = new();

    public async Task LookAsync(CancellationToken cancellationToken)
    {
        using var workers = await session.GetAsync("/api/v1/workers", cancellationToken);
        using var connections = await session.GetAsync("/api/v1/connections", cancellationToken);
        View.Show(new TopSample(_clock.Elapsed, Copy(workers, "workers"), Copy(connections, "connections")));
    }

    private static IReadOnlyList<JsonElement> Copy(JsonDocument answer, string name) =>
        [.. answer.RootElement.Items(name).Select(static item => item.Clone())];
}

/// <summary>The screen and its keys.</summary>
internal sealed class TopScreen(DaemonSession session, TopWatch watch, KeyTerminal terminal)
{
    private readonly TopView _view = watch.View;

    // What y would do; null: nothing is asked.
    private Func<Task>? _asked;

    /// <summary>Until q, Ctrl-C, a signal, or the number of looks.</summary>
    public async Task RunAsync(TimeSpan every, int? looks, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, terminal.Ended);
        var ended = both.Token;
        var tick = Task.Delay(every, ended);
        Task<string> key = NextKeyAsync(ended);
        int seen = 1;
        try
        {
            while (looks is null || seen <= looks)
            {
                Draw();
                await Task.WhenAny(tick, key);
                ended.ThrowIfCancellationRequested();
                if (key.IsCompleted)
                {
                    if (!await PressAsync(await key, ended))
                        return;
                    key = NextKeyAsync(ended);
                    continue;
                }

                tick = Task.Delay(every, ended);
                seen++;
                await LookAsync(ended);
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The ordinary end of a command that has none of its own.
        }
    }

    private void Draw()
    {
        var (width, height) = KeyTerminal.Size;
        terminal.Draw(_view.Lines(session.Place, session.Style, width, height));
    }

    private async Task<string> NextKeyAsync(CancellationToken cancellationToken)
    {
        // A terminal that is gone gives no more keys; SIGHUP comes with it.
        while (await terminal.Keys.WaitToReadAsync(cancellationToken))
        {
            if (terminal.Keys.TryRead(out string? key))
                return key;
        }

        return "q";
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        if (_view.IsPaused)
            return;
        await TellAsync(async () => await watch.LookAsync(cancellationToken), cancellationToken);
    }

    /// <summary>A daemon that restarts is waited for; what it refuses is shown.</summary>
    private async Task TellAsync(Func<Task> act, CancellationToken cancellationToken)
    {
        try
        {
            await act();
        }
        catch (DaemonException failure) when (!cancellationToken.IsCancellationRequested)
        {
            _view.Message = failure.Message;
        }
    }

    /// <summary>False: it is to end.</summary>
    private async Task<bool> PressAsync(string key, CancellationToken cancellationToken)
    {
        if (key.Length == 0)
            return true;
        if (_asked is { } asked)
        {
            (_asked, _view.Message) = (null, "");
            if (key is "y" or "Y")
                await TellAsync(asked, cancellationToken);
            return true;
        }

        _view.Message = "";
        switch (key)
        {
            case "q" or "Q":
                return false;
            case "\e[A" or "\eOA" or "k":
                _view.Move(-1);
                break;
            case "\e[B" or "\eOB" or "j":
                _view.Move(1);
                break;
            case "\e[5~":
                _view.Move(-10);
                break;
            case "\e[6~":
                _view.Move(10);
                break;
            case "\t" or "\e[C" or "\e[D":
                _view.ChangePart();
                break;
            case "s":
                _view.ChangeOrder();
                break;
            case " " or "p":
                _view.Pause();
                break;
            case "d" or "e" or "x":
                await ActAsync(key, cancellationToken);
                break;
            default:
                break;
        }

        return true;
    }

    private async Task ActAsync(string key, CancellationToken cancellationToken)
    {
        bool isClose = key == "x";
        if (_view.SelectedId is not { } id || isClose == _view.IsAtWorkers)
        {
            _view.Message = isClose
                ? "tab goes to the connections, of which x closes one"
                : "tab goes to the workers, to drain or enable one";
            return;
        }

        string segment = LiveArguments.Segment(id);
        if (isClose)
        {
            _view.Message = $"close {id}? y closes it";
            _asked = () => CommandAsync(HttpMethod.Delete, $"/api/v1/connections/{segment}", $"{id} is closed");
        }
        else
        {
            string verb = key == "d" ? "drain" : "enable";
            await TellAsync(
                () => CommandAsync(
                    HttpMethod.Post, $"/api/v1/workers/{segment}/{verb}", $"{id} {(key == "d" ? "drains" : "is enabled")}"),
                cancellationToken);
        }

        async Task CommandAsync(HttpMethod method, string path, string done)
        {
            using var answer = await session.CommandAsync(method, path, cancellationToken);
            await watch.LookAsync(cancellationToken);
            _view.Message = done;
        }
    }
}
