using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Client;

/// <summary>How commands write what the daemon said.</summary>
internal static class DaemonSessionExtensions
{
    public static async Task WriteAsync(this DaemonSession session, TextTable table)
    {
        foreach (string line in table.Lines(session.Style, session.Width))
            await session.Output.WriteLineAsync(line);
    }

    /// <summary>A name and its value, the values under one another. Nothing without a value.</summary>
    public static Task WriteAsync(this DaemonSession session, string name, string? value) =>
        value is null ? Task.CompletedTask
            : session.Output.WriteLineAsync($"{session.Style.Paint(name.PadRight(10), Tone.Dim)} {Printable.Of(value)}");
}
