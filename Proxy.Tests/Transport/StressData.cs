namespace TorBalancer.Tests.Transport;

/// <summary>
/// What a stress stream carries: a long random block read from a place of the stream's own, round and round. Its length is
/// prime, so a piece that is lost, doubled or swapped is seen wherever it was, and each byte is compared as it arrives.
/// </summary>
internal static class StressData
{
    private const int Length = 1_000_003;

    private static readonly byte[] Block = Make();

    /// <summary>The bytes from a position on: at least one, at most so many.</summary>
    public static ReadOnlyMemory<byte> At(long stream, long position, int most)
    {
        int start = (int)((((ulong)stream * 7919) + (ulong)position) % Length);
        return Block.AsMemory(start, Math.Min(most, Length - start));
    }

    /// <summary>Whether these bytes are the stream's at that position.</summary>
    public static bool IsAt(long stream, long position, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var expected = At(stream, position, bytes.Length).Span;
            if (!bytes[..expected.Length].SequenceEqual(expected))
                return false;
            position += expected.Length;
            bytes = bytes[expected.Length..];
        }

        return true;
    }

    private static byte[] Make()
    {
        var block = new byte[Length];
        new Random(4).NextBytes(block);
        return block;
    }
}
