using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>Where the figures come from.</summary>
internal static class Machine
{
    public static string Line()
    {
        string model = File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1]
            .Trim() ?? "unknown processor";
        string kernel = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        string load = File.ReadAllText("/proc/loadavg").Split(' ')[0];
        int cores = Directory.GetDirectories("/sys/devices/system/cpu", "cpu?*").Count(static path => char.IsAsciiDigit(path[^1]));
        return $"{cores} cores, {model}, Linux {kernel}, {RuntimeInformation.FrameworkDescription}; load average at the start {load}";
    }

    public static string Versions(IEnumerable<ForwarderSpec> specs)
    {
        var table = new MarkdownTable("Forwarder", "Version", "What it does");
        foreach (var spec in specs)
            table.Add(spec.Name, ChildProcess.OutputOf(spec.VersionCommand)?.Split('\n')[0] ?? "?", spec.What);
        return table.ToString();
    }
}
