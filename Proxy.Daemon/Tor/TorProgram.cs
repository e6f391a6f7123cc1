using System.ComponentModel;
using System.Diagnostics;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Tor;

/// <summary>What a tor executable says of itself.</summary>
internal static class TorProgram
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>By <c>tor --version</c>, which takes some 10 ms; null when it does not say in 5 s.</summary>
    public static TorVersion? VersionOf(string executable)
    {
        try
        {
            var start = new ProcessStartInfo(executable, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true };
            using var process = Process.Start(start)!;
            if (process.WaitForExit(Patience))
                return process.StandardOutput.ReadLine() is { } line ? TorVersion.TryParse(line) : null;
            process.Kill(entireProcessTree: true);
            return null;
        }
        catch (Exception failure) when (failure is Win32Exception or InvalidOperationException or IOException)
        {
            return null;
        }
    }
}
