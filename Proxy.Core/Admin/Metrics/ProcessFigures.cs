using System.Diagnostics;
using System.Globalization;
using System.Reflection;
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

    /// <summary>Bytes; the second number of /proc/self/statm is pages (proc(5)).</summary>
    public static long ResidentMemory
    {
        get
        {
            try
            {
                string[] pages = File.ReadAllText("/proc/self/statm").Split(' ');
                return pages.Length > 1 && long.TryParse(pages[1], CultureInfo.InvariantCulture, out long count)
                    ? count * Environment.SystemPageSize
                    : 0;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                return 0;
            }
        }
    }
}
