using System.Buffers;
using TorBalancer.Protocols.ProxyProtocol;

namespace TorBalancer.Fuzz.Targets;

/// <summary>The PROXY protocol, versions 1 and 2.</summary>
internal static class ProxyHeaderTarget
{
    private const int AllPrefixes = 300, SomePrefixes = 64;

    public static void Check(byte[] input)
    {
        var state = Parse(input, input.Length, out var header);
        var pieces = Pieces.Sequence(input, Pieces.Of(input), 0, input.Length);
        Expect.Same(ProxyHeaderParser.Parse(pieces, out var same, out _), state, "a header is the same however it arrives");
        Expect.Same(same, header, "a header is the same however it arrives");
        if (state == ProxyHeaderState.Complete)
            Expect.That(header.Length > 0 && header.Length <= input.Length, "a header has come as a whole");

        int step = input.Length <= AllPrefixes ? 1 : Math.Max(1, input.Length / SomePrefixes);
        for (int length = 0; length < input.Length; length += step)
        {
            var before = Parse(input, length, out var shorter);
            if (before == ProxyHeaderState.Incomplete)
                Expect.That(state != ProxyHeaderState.Complete || length < header.Length, "a header is complete with its last byte");
            else
                Expect.Same((before, shorter), (state, header), "what was judged stays so, whatever comes behind it");
        }
    }

    private static ProxyHeaderState Parse(byte[] input, int length, out ProxyHeader header) =>
        ProxyHeaderParser.Parse(new ReadOnlySequence<byte>(input, 0, length), out header, out _);
}
