using System.Globalization;

namespace TorBalancer.Tests.Support;

/// <summary>What /proc says of a process.</summary>
internal static class ProcessStates
{
    /// <summary>True while a process of that id exists; a zombie counts as gone.</summary>
    public static bool IsRunning(int pid)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));

            // "pid (name) S …": the name may hold anything, so the state stands behind the last parenthesis.
            int end = stat.LastIndexOf(')');
            return end > 0 && end + 2 < stat.Length && stat[end + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>
    /// Waits until every thread of a process that was sent SIGSTOP has stopped; one that is within a system call ends it first.
    /// </summary>
    public static async Task StoppedAsync(int pid, CancellationToken cancellationToken)
    {
        while (
            Directory.EnumerateDirectories(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/task"))
                .Any(static task => !IsStopped(task)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static bool IsStopped(string task)
    {
        try
        {
            string stat = File.ReadAllText(Path.Combine(task, "stat"));
            return stat[stat.LastIndexOf(')') + 2] is 'T' or 't';
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return true;
        }
    }
}
