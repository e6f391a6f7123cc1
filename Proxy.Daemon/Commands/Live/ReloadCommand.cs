using System.CommandLine;
using System.Net;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer reload</c>.</summary>
internal static class ReloadCommand
{
    public static Command Create()
    {
        var json = LiveArguments.Json();
        var command = new Command(
            "reload", "Have the daemon read its configuration anew: all of it is taken over, or nothing when something is wrong.") { json };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            using var answer = await session.SendAsync(HttpMethod.Post, "/api/v1/reload", body: null, cancellationToken);
            bool isDone = answer.Status == HttpStatusCode.OK;
            if (!isDone && answer.Status != HttpStatusCode.UnprocessableEntity)
                throw DaemonSession.ProblemOf(answer.Status, answer.Body.RootElement);
            if (parsed.GetValue(json))
                await LiveArguments.PrintJsonAsync(session, answer.Body.RootElement);
            else
                await (isDone ? TellAsync(session, answer.Body.RootElement) : RefuseAsync(session, answer.Body.RootElement));
            return isDone ? ExitCodes.Done : ExitCodes.Failed;
        });
    }

    private static async Task TellAsync(DaemonSession session, JsonElement answer)
    {
        var changed = answer.Lines("changed");
        foreach (string line in changed)
            await session.Output.WriteLineAsync($"changed: {line}");
        var later = answer.Lines("restart_needed");
        foreach (string line in later)
            await session.Output.WriteLineAsync(session.Style.Paint($"needs a restart: {line}", Tone.Warning));
        foreach (string line in answer.Lines("warnings"))
            await session.Error.WriteLineAsync(session.Style.Paint($"warning: {line}", Tone.Warning));
        if (changed.Count + later.Count == 0)
            await session.Output.WriteLineAsync("nothing has changed");
    }

    private static async Task RefuseAsync(DaemonSession session, JsonElement answer)
    {
        foreach (string line in answer.Lines("errors"))
            await session.Error.WriteLineAsync(line);
        await session.Error.WriteLineAsync("torbalancer reload: nothing was changed; the daemon goes on with what it had");
    }
}
