using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using TorBalancer.Interop;

namespace TorBalancer.Processes;

/// <summary>
/// A descriptor that stands for one process, whatever becomes of its number (pidfd_open(2)), and that another process can be given: who has
/// it needs neither to be the parent nor to see it in /proc, where a tor, which lets nobody debug it, is hidden from its own user by
/// hidepid=invisible (systemd's ProtectProc=invisible).
/// </summary>
internal sealed unsafe partial class PidFd(SafeFileHandle handle) : IDisposable
{
    // Of asm-generic/unistd.h: newer than the split between architectures, so the same on all that .NET runs on.
    private const nint SendSignalCall = 424, OpenCall = 434;

    private const short PollIn = 1;

    /// <summary>Of a child of ours that has just been started, so that the number is its own; null: the kernel is older than 5.3.</summary>
    public static PidFd? Open(int pid)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        nint descriptor = Native.Open(OpenCall, pid, 0);
        return descriptor < 0 ? null : new PidFd(new SafeFileHandle(descriptor, ownsHandle: true));
    }

    /// <summary>The descriptor, which stays ours.</summary>
    public int Descriptor => (int)handle.DangerousGetHandle();

    /// <summary>False from its end on, whether or not anybody has asked for its exit code; false when this is disposed.</summary>
    public bool IsRunning
    {
        get
        {
            bool isHeld = false;
            try
            {
                handle.DangerousAddRef(ref isHeld);

                // It can be read from when the process has ended. A poll that fails says nothing: the next one does.
                var request = new PollRequest { Descriptor = Descriptor, Events = PollIn };
                return Native.Poll(&request, 1, 0) <= 0;
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
            finally
            {
                if (isHeld)
                    handle.DangerousRelease();
            }
        }
    }

    /// <summary>SIGTERM; nothing when it has ended.</summary>
    public void Terminate() => Send(ProcessSignals.SigTerm);

    /// <summary>SIGKILL; nothing when it has ended.</summary>
    public void Kill() => Send(ProcessSignals.SigKill);

    public void Dispose() => handle.Dispose();

    private void Send(int signal)
    {
        if (Native.SendSignal(SendSignalCall, handle, signal, 0, 0) != 0
            && Marshal.GetLastPInvokeError() is var error and not Errno.NoSuchProcess)
            throw new Win32Exception(error);
    }

    private static partial class Native
    {
        [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
        internal static partial nint Open(nint call, nint pid, nint flags);

        [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
        internal static partial nint SendSignal(nint call, SafeFileHandle process, nint signal, nint information, nint flags);

        [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
        internal static partial int Poll(PollRequest* requests, nuint count, int milliseconds);
    }

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
