using System.Runtime.InteropServices;

namespace TorBalancer.Interop;

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SocketMessagePart
{
    public byte* Base;
    public nuint Length;
}

/// <summary>struct msghdr of 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SocketMessage
{
    /// <summary>Of struct cmsghdr, in front of what comes with a message: its length 8, its level 4, its type 4.</summary>
    public const int HeaderBytes = 16;

    public byte* Name;
    public uint NameLength;
    public SocketMessagePart* Parts;
    public nuint PartCount;
    public byte* Control;
    public nuint ControlLength;
    public int Flags;
}
