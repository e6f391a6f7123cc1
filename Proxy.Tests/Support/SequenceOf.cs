using System.Buffers;
using TorBalancer.Fuzz;

namespace TorBalancer.Tests.Support;

/// <summary>Sequences of several segments, as sockets deliver them.</summary>
internal static class SequenceOf
{
    public static ReadOnlySequence<byte> Two(byte[] bytes, int split)
    {
        if (split <= 0 || split >= bytes.Length)
            return new ReadOnlySequence<byte>(bytes);
        var first = new Segment(bytes.AsMemory(0, split), 0);
        var second = first.Append(bytes.AsMemory(split));
        return new ReadOnlySequence<byte>(first, 0, second, second.Memory.Length);
    }
}
