using System.Buffers.Binary;

namespace TorBalancer.Testnet.Origin;

/// <summary>
/// One fixed pseudo-random sequence of bytes that can be computed from any offset, so that whoever receives a part of it
/// can tell that nothing was lost, repeated or changed.
/// </summary>
internal static class TestPattern
{
    /// <summary>Writes the bytes from <paramref name="offset"/> on.</summary>
    public static void Fill(long offset, Span<byte> output)
    {
        Span<byte> word = stackalloc byte[8];
        while (output.Length > 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(word, Mix((ulong)offset / 8));
            ReadOnlySpan<byte> part = word[(int)(offset % 8)..];
            if (part.Length > output.Length)
                part = part[..output.Length];
            part.CopyTo(output);
            output = output[part.Length..];
            offset += part.Length;
        }
    }

    /// <summary>True when <paramref name="data"/> is the sequence from <paramref name="offset"/> on.</summary>
    public static bool Matches(long offset, ReadOnlySpan<byte> data)
    {
        Span<byte> expected = stackalloc byte[1024];
        while (data.Length > 0)
        {
            int length = Math.Min(data.Length, expected.Length);
            Fill(offset, expected[..length]);
            if (!data[..length].SequenceEqual(expected[..length]))
                return false;
            data = data[length..];
            offset += length;
        }

        return true;
    }

    // SplitMix64 (Steele, Lea, Flood 2014) as a function of the counter.
    private static ulong Mix(ulong index)
    {
        ulong z = unchecked((index + 1) * 0x9E3779B97F4A7C15);
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EB);
        return z ^ (z >> 31);
    }
}
