using TorBalancer.Protocols.Http;

namespace TorBalancer.Fuzz.Targets;

/// <summary>A body in chunks, as requests and as responses may have them.</summary>
internal static class HttpChunksTarget
{
    public static void Check(byte[] input)
    {
        var strict = Decode(input, Pieces.Whole(input), lenient: false);
        var lenient = Decode(input, Pieces.Whole(input), lenient: true);
        Same(strict, Decode(input, Pieces.Of(input), lenient: false), "chunks of a request are the same however they arrive");
        Same(lenient, Decode(input, Pieces.Of(input), lenient: true), "chunks of a response are the same however they arrive");
        if (strict.Status == HttpChunkStatus.LastChunk)
            Same(strict, lenient, "what a request may have means the same in a response");

        var reference = ReferenceChunks.Decode(input);
        Expect.Same(strict.Status == HttpChunkStatus.LastChunk, reference is not null, "what is chunked is what RFC 9112 says is chunked");
        if (reference is { } expected)
        {
            Expect.Same(strict.Taken, expected.Length, "a body ends where RFC 9112 says that it ends");
            Expect.That(strict.Body.AsSpan().SequenceEqual(expected.Body), "a body is what RFC 9112 says that it is");
        }
    }

    private static void Same(Outcome one, Outcome other, string property)
    {
        Expect.Same((one.Status, one.Taken, one.IsRepaired), (other.Status, other.Taken, other.IsRepaired), property);
        Expect.That(one.Body.AsSpan().SequenceEqual(other.Body), property);
    }

    private static Outcome Decode(byte[] input, int[] ends, bool lenient)
    {
        var decoder = new HttpChunkDecoder(lenient);
        var body = new MemoryStream();
        int start = 0;
        foreach (int end in ends)
        {
            while (start < end)
            {
                var status = decoder.Step(input.AsSpan(start, end - start), out int consumed, out int dataStart, out int dataLength);
                Expect.That(consumed <= end - start && dataStart + dataLength <= consumed, "no more is taken than has come");
                body.Write(input, start + dataStart, dataLength);
                start += consumed;
                if (status is not (HttpChunkStatus.Data or HttpChunkStatus.NeedMore))
                {
                    // How far a body that is none was read says nothing.
                    bool isBody = status == HttpChunkStatus.LastChunk;
                    return new Outcome(status, isBody ? start : 0, isBody ? body.ToArray() : [], isBody && decoder.IsRepaired);
                }

                Expect.That(consumed > 0, "every step takes something");
            }
        }

        return new Outcome(HttpChunkStatus.NeedMore, start, body.ToArray(), decoder.IsRepaired);
    }

    private readonly record struct Outcome(HttpChunkStatus Status, int Taken, byte[] Body, bool IsRepaired);
}
