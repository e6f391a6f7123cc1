using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using TorBalancer.Interop;

namespace TorBalancer.Processes;

/// <summary>Signals that System.Diagnostics.Process does not send, and sessions.</summary>
internal static partial class ProcessSignals
{
    public const int SigKill = 9, SigTerm = 15;

    private const int SigHup = 1;
    private const int SigCont = 18;
    private const int SigStop = 19;

    public static void HangUp(int pid) => Send(pid, SigHup);

    public static void Terminate(int pid) => Send(pid, SigTerm);

    public static void Kill(int pid) => Send(pid, SigKill);

    /// <summary>SIGSTOP: the process runs no more, its sockets stay as they are.</summary>
    public static void Pause(int pid) => Send(pid, SigStop);

    public static void Resume(int pid) => Send(pid, SigCont);

    /// <summary>Its command line, arguments separated by spaces; empty when there is no such process.</summary>
    public static string CommandLine(int pid)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/cmdline")).Replace('\0', ' ');
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>Resident memory in bytes; 0 when there is no such process.</summary>
    public static long ResidentBytes(int pid)
    {
        try
        {
            string[] fields = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/statm")).Split(' ');
            return long.Parse(fields[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>
    /// When it was started, in ticks since the machine's boot (starttime of proc_pid_stat(5)): with the number, what names a process; null:
    /// there is none, or it has ended and nobody has asked for its exit code yet.
    /// </summary>
    public static long? StartOf(int pid)
    {
        try
        {
            // The program's name comes first, in parentheses, and may hold anything.
            string text = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// Leaves the terminal's session, so that closing it ends nothing of ours. A process that leads a group already stays where it is.
    /// </summary>
    public static void StartOwnSession() => _ = Native.SetSid();

    /// <summary>The real user id.</summary>
    public static uint UserId => Native.GetUid();

    private static void Send(int pid, int signal)
    {
        // 0 and negative numbers mean groups, or everybody.
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 2);
        if (Native.Kill(pid, signal) != 0 && Marshal.GetLastPInvokeError() is var error and not Errno.NoSuchProcess)
            throw new Win32Exception(error);
    }

    private static partial class Native
    {
        [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
        internal static partial int Kill(int pid, int signal);

        [LibraryImport("libc", EntryPoint = "setsid", SetLastError = true)]
        internal static partial int SetSid();

        [LibraryImport("libc", EntryPoint = "getuid")]
        internal static partial uint GetUid();
    }
}
