using System.Text;

namespace TorBalancer.Workers;

/// <summary>A hash that is the same in every process (string.GetHashCode is not): FNV-1a with a final mix.</summary>
internal static class StableHash
{
    public static ulong Of(string text)
    {
        ulong hash = 14695981039346656037;
        Span<byte> bytes = stackalloc byte[256];
        int at = 0;
        while (at < text.Length)
        {
            int chars = Math.Min(64, text.Length - at);
            int count = Encoding.UTF8.GetBytes(text.AsSpan(at, chars), bytes);
            foreach (byte b in bytes[..count])
                hash = (hash ^ b) * 1099511628211;
            at += chars;
        }

        return Mix(hash);
    }

    /// <summary>The finalizer of SplitMix64: every input bit reaches every output bit.</summary>
    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
