using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Doctor;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer doctor</c>: what is wrong here, and how it is mended. It changes nothing.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "The findings in JSON" };
        var command = new Command(
            "doctor", "Look for what is wrong with the configuration, the workers' tors and this machine, and say how to mend it.")
        {
            json,
        };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            var configuration = session.Configuration ?? throw new DaemonException(
                ExitCodes.Usage, "a daemon alone is not enough: leave --admin out, or name the configuration too with --config");
            bool isWatched = TerminalCalls.IsTerminal(TerminalCalls.Error) && ReferenceEquals(session.Error, Console.Error);
            var examination = new Examination(
                session, new SystemFacts("/", Environment.GetEnvironmentVariable), TimeProvider.System,
                what => Progress(session, isWatched, $"looking at {what} …"));
            var patient = await examination.RunAsync(configuration, cancellationToken);
            Progress(session, isWatched, "");
            return await TellAsync(session, patient, DoctorChecks.All, parsed.GetValue(json));
        });
    }

    /// <summary>Prints what these checks find; 1 when something of it is more than a note.</summary>
    internal static async Task<int> TellAsync(
        DaemonSession session, Patient patient, IReadOnlyList<DoctorCheck> checks, bool asJson)
    {
        var found = checks.SelectMany(check => check.Find(patient).Select(finding => (Check: check.Name, Finding: finding)))
            .OrderByDescending(static one => one.Finding.Severity).ToList();
        if (asJson)
            await session.Output.WriteLineAsync(Json(found, checks.Count));
        else
            await PrintAsync(session, found, checks.Count);
        return found.Exists(static one => one.Finding.Severity > Severity.Note) ? ExitCodes.Failed : ExitCodes.Done;
    }

    private static async Task PrintAsync(DaemonSession session, List<(string Check, Finding Finding)> found, int checks)
    {
        // What is said of several workers is said once.
        var told = found.GroupBy(static one => (one.Check, one.Finding.Severity, one.Finding.What, one.Finding.Mend));
        foreach (var same in told)
        {
            var (check, finding) = same.First();
            string where = string.Join(", ", same.Select(static one => one.Finding.Where));
            var tone = finding.Severity switch
            {
                Severity.Error => Tone.Bad,
                Severity.Warning => Tone.Warning,
                _ => Tone.Dim,
            };
            string word = session.Style.Paint($"{Word(finding.Severity),-7}", tone);
            await session.Output.WriteLineAsync($"{word}  {session.Style.Paint(Printable.Of(where), Tone.Strong)}  [{check}]");
            await session.Output.WriteLineAsync($"         {Printable.Of(finding.What)}");
            await session.Output.WriteLineAsync($"         -> {Printable.Of(finding.Mend)}");
        }

        if (found.Count > 0)
            await session.Output.WriteLineAsync();
        await session.Output.WriteLineAsync(
            $"{Units.Count(Of(Severity.Error), "error")}, {Units.Count(Of(Severity.Warning), "warning")}, "
                + $"{Units.Count(Of(Severity.Note), "note")} from {Units.Count(checks, "check")}");

        int Of(Severity severity) => found.Count(one => one.Finding.Severity == severity);
    }

    private static string Json(List<(string Check, Finding Finding)> found, int checks)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            foreach (var severity in (Severity[])[Severity.Error, Severity.Warning, Severity.Note])
                writer.WriteNumber(Word(severity) + "s", found.Count(one => one.Finding.Severity == severity));
            writer.WriteNumber("checks", checks);
            writer.WriteStartArray("findings");
            foreach (var (check, finding) in found)
            {
                writer.WriteStartObject();
                writer.WriteString("severity", Word(finding.Severity));
                writer.WriteString("check", check);
                writer.WriteString("where", finding.Where);
                writer.WriteString("what", finding.What);
                writer.WriteString("mend", finding.Mend);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static string Word(Severity severity) => severity.ToString().ToLower(CultureInfo.InvariantCulture);

    /// <summary>One line that is written over and then gone, for somebody who waits.</summary>
    private static void Progress(DaemonSession session, bool isWatched, string text)
    {
        if (isWatched)
            session.Error.Write($"\r\e[K{text}");
    }
}
