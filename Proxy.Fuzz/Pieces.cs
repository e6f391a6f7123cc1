using System.Buffers;

namespace TorBalancer.Fuzz;

/// <summary>
/// Where bytes are cut on their way. The cuts follow from the bytes: the same input is always tried in the same way.
/// </summary>
internal static class Pieces
{
    /// <summary>Long inputs come in larger ones: each read looks through all that has come.</summary>
    private const int MostPieces = 128;

    /// <summary>All at once: where it ends.</summary>
    public static int[] Whole(byte[] bytes) => bytes.Length == 0 ? [] : [bytes.Length];

    /// <summary>Where each piece ends: single bytes, few or more of them, or two pieces.</summary>
    public static int[] Of(byte[] bytes)
    {
        if (bytes.Length < 2)
            return Whole(bytes);
        uint state = HashOf(bytes);
        if (state % 4 == 3)
            return [1 + (int)(state / 4 % (uint)(bytes.Length - 1)), bytes.Length];
        int longest = Math.Max((state % 4) switch { 0 => 1, 1 => 4, _ => 64 }, bytes.Length / MostPieces);
        var ends = new List<int>();
        for (int at = 0; at < bytes.Length; ends.Add(at))
        {
            state = (state * 1664525) + 1013904223;
            at = Math.Min(bytes.Length, at + 1 + (int)((state >> 8) % (uint)longest));
        }

        return [.. ends];
    }

    /// <summary>The bytes from <paramref name="start"/> up to <paramref name="end"/>, in segments that end where pieces do.</summary>
    public static ReadOnlySequence<byte> Sequence(byte[] bytes, int[] ends, int start, int end)
    {
        Segment? first = null, last = null;
        foreach (int cut in ends)
        {
            int to = Math.Min(cut, end);
            if (to <= start)
                continue;
            var piece = bytes.AsMemory(start, to - start);
            last = last is null ? first = new Segment(piece, 0) : last.Append(piece);
            start = to;
        }

        return first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(first, 0, last!, last!.Memory.Length);
    }

    // FNV-1a
    private static uint HashOf(byte[] bytes)
    {
        uint hash = 2166136261;
        foreach (byte b in bytes)
            hash = (hash ^ b) * 16777619;
        return hash;
    }
}
