using System.Buffers;

namespace TorBalancer.Benchmarks.Support;

/// <summary>A message as it arrives from a slow peer: in segments of a few bytes.</summary>
internal static class Pieces
{
    public static ReadOnlySequence<byte> Of(byte[] message, int size)
    {
        Segment? first = null, last = null;
        for (int at = 0; at < message.Length; at += size)
        {
            var next = new Segment(message.AsMemory(at, Math.Min(size, message.Length - at)), last);
            first ??= next;
            last = next;
        }

        return new ReadOnlySequence<byte>(first!, 0, last!, last!.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? previous)
        {
            Memory = memory;
            if (previous is null)
                return;
            previous.Next = this;
            RunningIndex = previous.RunningIndex + previous.Memory.Length;
        }
    }
}
