using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace TorBalancer.Interop;

/// <summary>
/// Descriptors that another process gets as well (SCM_RIGHTS, unix(7)): both then have the same open socket, pipe or file, and each closes
/// its own. 64-bit Linux only.
/// </summary>
internal static unsafe partial class SharedDescriptors
{
    /// <summary>Of one message: the kernel takes no more than 253 (SCM_MAX_FD).</summary>
    public const int MostAtOnce = 64;

    private const int SolSocket = 1, ScmRights = 1, NoSignal = 0x4000, CloseOnExec = 0x40000000, DuplicateClosedOnExec = 1030,
        HeaderBytes = SocketMessage.HeaderBytes;

    private const short PollIn = 1, PollOut = 4;

    /// <summary>Sends one byte with descriptors, which stay ours as well. Throws <see cref="IOException"/>.</summary>
    /// <param name="socket">A connected unix stream socket, whether it blocks or not.</param>
    /// <param name="descriptors">At least one and at most <see cref="MostAtOnce"/>.</param>
    public static void Send(int socket, ReadOnlySpan<int> descriptors, TimeSpan limit)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MostAtOnce);
        byte* control = stackalloc byte[HeaderBytes + (MostAtOnce * sizeof(int))];
        int length = HeaderBytes + (descriptors.Length * sizeof(int));
        *(nuint*)control = (nuint)length;
        *(int*)(control + 8) = SolSocket;
        *(int*)(control + 12) = ScmRights;
        descriptors.CopyTo(new Span<int>(control + HeaderBytes, descriptors.Length));
        byte one = 0;
        SendWhole(socket, &one, 1, control, Align(length), limit);
    }

    /// <summary>Sends all of it. Throws <see cref="IOException"/>.</summary>
    public static void Send(int socket, ReadOnlySpan<byte> bytes, TimeSpan limit)
    {
        fixed (byte* start = bytes)
            SendWhole(socket, start, bytes.Length, null, 0, limit);
    }

    /// <summary>
    /// Receives up to so many bytes, at least one. Throws <see cref="IOException"/> at the end of the connection and when nothing comes in
    /// time.
    /// </summary>
    /// <param name="descriptors">Those that came with them are added; programs that we start do not inherit them.</param>
    public static int Receive(int socket, Span<byte> bytes, List<int> descriptors, TimeSpan limit)
    {
        Wait(socket, PollIn, limit);
        byte* control = stackalloc byte[HeaderBytes + (MostAtOnce * sizeof(int))];
        fixed (byte* start = bytes)
        {
            var part = new SocketMessagePart { Base = start, Length = (nuint)bytes.Length };
            var message = new SocketMessage
            {
                Parts = &part,
                PartCount = 1,
                Control = control,
                ControlLength = (nuint)(HeaderBytes + (MostAtOnce * sizeof(int))),
            };
            nint count;
            do
                count = ReceiveMessage(socket, &message, CloseOnExec);
            while (count < 0 && Marshal.GetLastPInvokeError() == Errno.Interrupted);
            if (count < 0)
                throw new IOException($"recvmsg: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
            if (message.ControlLength >= HeaderBytes && *(int*)(control + 8) == SolSocket && *(int*)(control + 12) == ScmRights)
            {
                int held = ((int)*(nuint*)control - HeaderBytes) / sizeof(int);
                descriptors.AddRange(new ReadOnlySpan<int>(control + HeaderBytes, held));
            }

            return count > 0 ? (int)count : throw new IOException("the other side has closed the connection");
        }
    }

    /// <summary>
    /// Closes our descriptor of a socket that another process has as well, and does nothing to the socket: the framework's way of closing
    /// one that was accepted on sets SO_LINGER, which every connection that the other process accepts would inherit, and removes the file
    /// of a unix socket. Nothing may wait on it any more.
    /// </summary>
    public static void Close(Socket socket)
    {
        if (socket.SafeHandle.IsInvalid || socket.SafeHandle.IsClosed)
            return;
        Close(socket.SafeHandle, socket);
    }

    /// <summary>The same of a file: the framework's way takes the lock off it that it has taken.</summary>
    public static void Close(FileStream file) => Close(file.SafeFileHandle, file);

    /// <summary>
    /// Another descriptor of the same socket, which stays open whoever closes the first: a number that is kept may be another file's by
    /// then. Throws <see cref="IOException"/>, also when it is closed already.
    /// </summary>
    public static SafeFileHandle Duplicate(Socket socket)
    {
        bool isHeld = false;
        SafeHandle? handle = null;
        try
        {
            handle = socket.SafeHandle;
            handle.DangerousAddRef(ref isHeld);
            int descriptor = Control((int)handle.DangerousGetHandle(), DuplicateClosedOnExec, 0);
            return descriptor >= 0
                ? new SafeFileHandle(descriptor, ownsHandle: true)
                : throw new IOException($"fcntl: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
        catch (ObjectDisposedException failure)
        {
            throw new IOException("the other side has closed the connection", failure);
        }
        finally
        {
            if (isHeld)
                handle!.DangerousRelease();
        }
    }

    /// <summary>What the peer sends from now on fails there (SHUT_RD, shutdown(2)); what it has sent can still be received.</summary>
    public static void StopReceiving(int socket) => _ = Shutdown(socket, 0);

    private static void Close(SafeHandle handle, object owner)
    {
        int descriptor = (int)handle.DangerousGetHandle();
        handle.SetHandleAsInvalid();
#pragma warning disable CA1816 // Its finalizer would do what Dispose does, which is not to happen.
        GC.SuppressFinalize(owner);
#pragma warning restore CA1816
        FileCalls.Close(descriptor);
    }

    private static void SendWhole(int socket, byte* bytes, int count, byte* control, int controlLength, TimeSpan limit)
    {
        while (count > 0)
        {
            var part = new SocketMessagePart { Base = bytes, Length = (nuint)count };
            var message = new SocketMessage { Parts = &part, PartCount = 1, Control = control, ControlLength = (nuint)controlLength };
            nint sent = SendMessage(socket, &message, NoSignal);
            if (sent < 0)
            {
                int error = Marshal.GetLastPInvokeError();
                if (error == Errno.TryAgain)
                    Wait(socket, PollOut, limit);
                else if (error != Errno.Interrupted)
                    throw new IOException($"sendmsg: {Marshal.GetPInvokeErrorMessage(error)}");
                continue;
            }

            bytes += sent;
            count -= (int)sent;
            control = null;
            controlLength = 0;
        }
    }

    private static void Wait(int socket, short events, TimeSpan limit)
    {
        var request = new PollRequest { Descriptor = socket, Events = events };
        int ready;
        do
            ready = Poll(&request, 1, (int)limit.TotalMilliseconds);
        while (ready < 0 && Marshal.GetLastPInvokeError() == Errno.Interrupted);
        if (ready == 0)
            throw new IOException($"nothing was heard for {limit.TotalSeconds:0} s");
    }

    private static int Align(int length) => (length + 7) & ~7;

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessage(int socket, SocketMessage* message, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessage(int socket, SocketMessage* message, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "shutdown")]
    private static partial int Shutdown(int socket, int how);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(PollRequest* requests, nuint count, int milliseconds);

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
