using System.Runtime.InteropServices;

namespace TorBalancer.Interop;

/// <summary>What .NET does not do with threads on Linux.</summary>
internal static partial class ThreadCalls
{
    /// <summary>As nice(1) has it by default; a tenth of the share of an ordinary thread.</summary>
    private const int Behind = 10;

    private const int PrioProcess = 0, ThisThread = 0;

    /// <summary>
    /// The calling thread has the processor when no other wants it, nearly: for work that takes long and nobody's traffic waits for. On
    /// Linux a priority is a thread's (setpriority(2)). Where it is not allowed nothing changes.
    /// </summary>
    public static void GoBehindOthers()
    {
        if (OperatingSystem.IsLinux())
            _ = SetPriority(PrioProcess, ThisThread, Behind);
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);
}
