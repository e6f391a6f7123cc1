using System.Runtime.InteropServices;

namespace TorBalancer.Authentication;

/// <summary>HMAC-SHA256 of a name and a password, with a key that nobody outside the process knows.</summary>
/// <param name="Low">Its first half.</param>
/// <param name="High">Its second half.</param>
internal readonly record struct Digest(UInt128 Low, UInt128 High)
{
    public const int Bytes = 32;

    public static Digest Of(ReadOnlySpan<byte> bytes) => new(MemoryMarshal.Read<UInt128>(bytes), MemoryMarshal.Read<UInt128>(bytes[16..]));

    public void CopyTo(Span<byte> bytes)
    {
        MemoryMarshal.Write(bytes, Low);
        MemoryMarshal.Write(bytes[16..], High);
    }
}
