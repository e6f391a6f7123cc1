using System.Text;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Protocols.Http;

public sealed class HttpChunkDecoderTests
{
    private const string Body = "5\r\nhello\r\n1;a=\"b\";c\r\n \r\n00006 ;x\r\nworld!\r\n0;last\r\n";

    [Test]
    public void Step_valid_body_split_at_every_byte_gives_the_same()
    {
        for (int at = 0; at <= Body.Length; at++)
            Assert.That(Decode([Body[..at], Body[at..]], lenient: false), Is.EqualTo("LastChunk:hello world!"), $"split at {at}");
        Assert.That(Decode(Body.Select(c => c.ToString()), lenient: false), Is.EqualTo("LastChunk:hello world!"));
    }

    [TestCase("5\nhello")]
    [TestCase("5\r\nhello!\r\n")]
    [TestCase("5\r\nhello\n0\r\n")]
    [TestCase("5\r\nhello\r0\r\n")]
    [TestCase("\r\n")]
    [TestCase(";x\r\n")]
    [TestCase("-1\r\n")]
    [TestCase("+5\r\n")]
    [TestCase("0x5\r\n")]
    [TestCase(" 5\r\n")]
    [TestCase("5 \r\n")]
    [TestCase("5 5\r\n")]
    [TestCase("5;a\nb\r\n")]
    [TestCase("5;a\rb\r\n")]
    [TestCase("5;\0\r\n")]
    [TestCase("5\r\r\n")]
    [TestCase("1000000000000000\r\n")]
    [TestCase("FFFFFFFFFFFFFFFFF\r\n")]
    [TestCase("0000000000000000000000\r\n")]
    public void Step_ambiguous_framing_is_malformed(string body) =>
        Assert.That(Decode([body], lenient: false), Does.StartWith("Malformed"));

    [Test]
    public void Step_padded_size_is_taken_from_responses_only()
    {
        Assert.That(Decode(["5   \r\nhello\r\n0 \r\n"], lenient: true), Is.EqualTo("LastChunk:hello"));
        Assert.That(Decode(["5   \r\nhello\r\n0 \r\n"], lenient: false), Does.StartWith("Malformed"));
    }

    [Test]
    public void Step_endless_extensions_are_too_large()
    {
        Assert.That(Decode(["5;" + new string('x', 5000)], lenient: false), Does.StartWith("TooLarge"));
        string chunk = "1;" + new string('x', 4000) + "\r\na\r\n";
        Assert.That(Decode(Enumerable.Repeat(chunk, 20), lenient: false), Does.StartWith("TooLarge"));
    }

    [Test]
    public void Step_random_and_mutated_input_never_throws_and_always_advances()
    {
        var random = new Random(7);
        for (int i = 0; i < 10_000; i++)
        {
            string mutated = Encoding.Latin1.GetString(HttpRequestParserTests.Mutate(random, HttpBytes.Of(Body)));
            int at = random.Next(mutated.Length + 1);
            Assert.That(Decode([mutated[..at], mutated[at..]], lenient: false), Is.EqualTo(Decode([mutated], lenient: false)));
        }
    }

    private static string Decode(IEnumerable<string> pieces, bool lenient)
    {
        var decoder = new HttpChunkDecoder(lenient);
        var body = new StringBuilder();
        foreach (string piece in pieces)
        {
            byte[] bytes = HttpBytes.Of(piece);
            int at = 0;
            while (at < bytes.Length)
            {
                var status = decoder.Step(bytes.AsSpan(at), out int consumed, out int start, out int length);
                Assert.That(consumed, Is.GreaterThan(0));
                body.Append(Encoding.Latin1.GetString(bytes, at + start, length));
                at += consumed;
                if (status is HttpChunkStatus.Malformed or HttpChunkStatus.TooLarge or HttpChunkStatus.LastChunk)
                    return $"{status}:{body}";
            }
        }

        return $"NeedMore:{body}";
    }
}
