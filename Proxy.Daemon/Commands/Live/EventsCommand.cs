using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer events</c>: what happened, and with --follow what happens.</summary>
internal static class EventsCommand
{
    private const int DefaultRecent = 50;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500), LongestPause = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var follow = new Option<bool>("--follow", "-f")
        {
            Description = "Go on with what happens, until Ctrl-C; a daemon that restarts meanwhile is waited for",
        };
        var recent = new Option<int>("--recent")
        {
            Description = "How many events from before, 0 to 1000",
            HelpName = "N",
            DefaultValueFactory = static _ => DefaultRecent,
        };
        recent.Validators.Add(result =>
        {
            if (result.Tokens is [var token]
                && !(int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= 1000))
                result.AddError($"--recent {token.Value} is not allowed; a whole number from 0 to 1000 is");
        });
        var json = new Option<bool>("--json") { Description = "One JSON object a line" };
        var command = new Command("events", "Show what happened: workers' states, exits that are avoided, reloads, alerts.")
        {
            follow, recent, json,
        };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            bool isLive = parsed.GetValue(follow), asJson = parsed.GetValue(json);
            string path = string.Create(
                CultureInfo.InvariantCulture, $"/api/v1/events?recent={parsed.GetValue(recent)}{(isLive ? "" : "&follow=no")}");
            try
            {
                await ShowAsync(session, path, isLive, asJson, cancellationToken);
            }
            catch (OperationCanceledException) when (isLive && cancellationToken.IsCancellationRequested)
            {
                // Ctrl-C is the ordinary end.
            }

            return ExitCodes.Done;
        });
    }

    /// <summary>Until the stream's end; with <paramref name="isLive"/> a further one begins behind the last event that was seen.</summary>
    private static async Task ShowAsync(
        DaemonSession session, string path, bool isLive, bool asJson, CancellationToken cancellationToken)
    {
        string? last = null;
        var pause = FirstPause;
        bool wasThere = false;
        while (true)
        {
            try
            {
                using var response = await session.FollowAsync(path, last, cancellationToken);
                if (response.StatusCode != HttpStatusCode.OK)
                    throw await RefusedAsync(response, cancellationToken);
                wasThere = true;
                pause = FirstPause;
                await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
                await foreach (var one in ServerSentEvents.ReadAsync(body, cancellationToken))
                {
                    last = one.Id ?? last;
                    await WriteAsync(session, one, asJson);
                    if (session.IsUnread)
                        return;
                }
            }
            catch (Exception failure)
                when (isLive && wasThere && failure is IOException or DaemonException { Code: ExitCodes.NoDaemon })
            {
                // It stopped or restarts.
            }

            if (!isLive)
                return;
            await Task.Delay(pause, cancellationToken);
            pause = pause * 2 > LongestPause ? LongestPause : pause * 2;
        }
    }

    private static async Task<DaemonException> RefusedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            using var problem = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
            return DaemonSession.ProblemOf(response.StatusCode, problem.RootElement);
        }
        catch (JsonException)
        {
            return DaemonSession.ProblemOf(response.StatusCode, default);
        }
    }

    private static Task WriteAsync(DaemonSession session, ServerSentEvent one, bool asJson) =>
        session.Output.WriteLineAsync(asJson ? one.Data : Line(one, session.Style));

    /// <summary>One event for people, on one line.</summary>
    internal static string Line(ServerSentEvent one, TextStyle style)
    {
        try
        {
            using var data = JsonDocument.Parse(one.Data);
            var root = data.RootElement;
            string time = root.Text("time") is { } text
                && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var at)
                ? at.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)
                : new string(' ', 19);
            var tone = root.Text("level") switch
            {
                "error" => Tone.Bad,
                "warning" => Tone.Warning,
                _ => Tone.Plain,
            };
            string message = Printable.Of(root.Text("message") ?? root.Text("reason") ?? one.Data);
            return $"{time} {Printable.Of(one.Name),-18} {style.Paint(message, tone)}";
        }
        catch (JsonException)
        {
            return Printable.Of($"{one.Name} {one.Data}");
        }
    }
}
