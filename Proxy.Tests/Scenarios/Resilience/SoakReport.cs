using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>What a soak was like, in Markdown. eng/soak.sh prints it.</summary>
internal static class SoakReport
{
    /// <param name="load">Everything that clients did.</param>
    /// <param name="causes">For each operation that failed: what the log says of it, and what explains it.</param>
    /// <param name="figures">The first is the base line, the last is of the end, those in between are of the ends of rounds.</param>
    public static string Render(
        MixedLoad load, FaultPlan plan, IReadOnlyDictionary<string, int> causes, IReadOnlyList<ProcessFigures> figures)
    {
        var text = new StringBuilder();
        var done = load.Done;
        long bytes = done.Sum(static one => one.Bytes);
        text.Append(
            CultureInfo.InvariantCulture,
            $"{(figures[^1].At - figures[0].At).TotalMinutes:0} minutes on {Environment.ProcessorCount} cores, "
                + $"{RuntimeInformation.FrameworkDescription}, Linux {Environment.OSVersion.Version}: {done.Count:N0} operations, "
                + $"{bytes / 1048576.0:N0} MiB of payload compared.\n\n");

        text.Append("| Clients | Operations | Whole | Ended by a fault | MiB |\n|---|---:|---:|---:|---:|\n");
        foreach (string kind in MixedLoad.Kinds)
        {
            var ofKind = done.Where(one => one.Kind == kind).ToList();
            int failed = ofKind.Count(static one => one.Error is not null);
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {kind} | {ofKind.Count:N0} | {ofKind.Count - failed:N0} | {failed:N0} | "
                    + $"{ofKind.Sum(static one => one.Bytes) / 1048576.0:N1} |\n");
        }

        text.Append("\n| What was done meanwhile | Times |\n|---|---:|\n");
        foreach (
            var group in plan.Faults.GroupBy(
                static one => $"{(one.IsWorker ? "worker" : "relay")} {(one.IsKill ? "killed" : "paused")}"))
            text.Append(CultureInfo.InvariantCulture, $"| {group.Key} | {group.Count()} |\n");
        text.Append(CultureInfo.InvariantCulture, $"| worker drained, and enabled again | {plan.Drains} |\n");
        text.Append(CultureInfo.InvariantCulture, $"| configuration reloaded | {plan.Reloads} |\n");

        if (causes.Count > 0)
        {
            text.Append("\n| What ended by a fault | Times |\n|---|---:|\n");
            foreach (var (what, count) in causes)
                text.Append(CultureInfo.InvariantCulture, $"| {what.Replace('|', '/')} | {count} |\n");
        }

        text.Append("\n| Of the daemon | Minute | Descriptors | Of pipes | Threads | RSS MiB | Clients |\n");
        text.Append("|---|---:|---:|---:|---:|---:|---:|\n");
        for (int i = 0; i < figures.Count; i++)
        {
            // Of a long run one round in many is enough.
            int step = Math.Max(1, figures.Count / 12);
            if (i > 0 && i < figures.Count - 1 && i % step != 0)
                continue;
            var one = figures[i];
            string what = i == 0 ? "before" : i == figures.Count - 1 ? "afterwards" : "under load";
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {what} | {one.At.TotalMinutes:0.0} | {one.Descriptors} | {one.Pipes} | {one.Threads} | "
                    + $"{one.ResidentKiB / 1024.0:0.0} | {one.Clients} |\n");
        }

        return text.ToString();
    }
}
