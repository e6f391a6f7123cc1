using System.Diagnostics;

namespace TorBalancer.Daemon.Tor;

/// <summary>The tor program: where it is and which version.</summary>
/// <param name="Path">Its path.</param>
/// <param name="Version">For example 0.4.9.11, or 0.4.10.1-alpha; empty when it would not say.</param>
internal sealed record TorExecutable(string Path, string Version)
{
    // Debian keeps it in /usr/bin or /usr/sbin; the latter is not in a user's PATH.
    private static readonly string[] UsualDirectories = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/usr/local/sbin"];

    private static readonly TimeSpan VersionBound = TimeSpan.FromSeconds(10);

    /// <summary>The path of tor, or null when there is none.</summary>
    /// <param name="configured">auto (searched in PATH and the usual directories), a path, or a name to search for.</param>
    public static string? Find(string configured) => Find(configured, Environment.GetEnvironmentVariable("PATH"));

    internal static string? Find(string configured, string? searchPath)
    {
        bool auto = configured.Length == 0 || configured.Equals("auto", StringComparison.OrdinalIgnoreCase);
        if (!auto && configured.Contains('/'))
            return IsExecutable(configured) ? System.IO.Path.GetFullPath(configured) : null;

        // A relative directory in PATH would make the choice depend on where we were started.
        string name = auto ? "tor" : configured;
        return (searchPath ?? "").Split(':')
            .Where(directory => directory.StartsWith('/'))
            .Concat(UsualDirectories)
            .Select(directory => System.IO.Path.Combine(directory, name))
            .FirstOrDefault(IsExecutable);
    }

    /// <summary>Asks <c>tor --version</c>. Throws <see cref="System.ComponentModel.Win32Exception"/> when it cannot be started.</summary>
    public static async Task<TorExecutable> ProbeAsync(string path, TimeProvider time, CancellationToken cancellationToken)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(path, ["--version"]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true },
        };
        process.Start();
        process.StandardInput.Close();
        using var deadline = new CancellationTokenSource(VersionBound, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            var errors = process.StandardError.ReadToEndAsync(both.Token);
            string output = await process.StandardOutput.ReadToEndAsync(both.Token).ConfigureAwait(false);
            await errors.ConfigureAwait(false);
            await process.WaitForExitAsync(both.Token).ConfigureAwait(false);
            return new TorExecutable(path, ParseVersion(output));
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            cancellationToken.ThrowIfCancellationRequested();
            return new TorExecutable(path, "");
        }
    }

    /// <summary>Reads <c>Tor version 0.4.9.11.</c> or <c>Tor version 0.4.9.11 (git-0123456789abcdef).</c>; empty when it is something else.</summary>
    internal static string ParseVersion(string output)
    {
        const string prefix = "Tor version ";
        int start = output.IndexOf(prefix, StringComparison.Ordinal);
        if (start < 0)
            return "";
        var rest = output.AsSpan(start + prefix.Length);
        int end = rest.IndexOfAny(' ', '\n');
        return (end < 0 ? rest : rest[..end]).TrimEnd(".\r").ToString();
    }

    private static bool IsExecutable(string path)
    {
        const UnixFileMode execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return File.Exists(path) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & execute) != 0);
    }
}
