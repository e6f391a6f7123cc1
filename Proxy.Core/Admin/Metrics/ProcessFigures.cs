using System.Diagnostics;
using System.Reflection;
using TorBalancer.Processes;
using TorBalancer.Transport;

namespace TorBalancer.Admin.Metrics;

/// <summary>What the system says of this process. Zero where it does not say.</summary>
internal static class ProcessFigures
{
    private static readonly Lazy<double> Started = new(static () =>
    {
        using var process = Process.GetCurrentProcess();
        return (process.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds;
    });

    private static readonly Lazy<IOpenDescriptors?> Descriptors = new(
        static () => OperatingSystem.IsLinux() ? Transport.Linux.OpenDescriptors.OfProcess() : null);

    public static string Version { get; } =
        typeof(ProcessFigures).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

    /// <summary>As in "10.0.0".</summary>
    public static string Runtime { get; } = Environment.Version.ToString();

    /// <summary>Seconds since 1970.</summary>
    public static double StartTime => Started.Value;

    public static int OpenDescriptors => Descriptors.Value?.Count() ?? 0;

    public static int DescriptorLimit => Descriptors.Value?.Limit ?? 0;

    /// <summary>Bytes.</summary>
    public static long ResidentMemory => ProcessSignals.ResidentBytes(Environment.ProcessId);
}
