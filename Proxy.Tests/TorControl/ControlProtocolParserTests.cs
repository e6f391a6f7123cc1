using System.Buffers;
using System.Text;
using TorBalancer.Fuzz;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl;

public sealed class ControlProtocolParserTests
{
    private static readonly string[] Streams =
    [
        "250 OK\r\n",
        "250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"/a b\"\r\n250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n",
        "250+circuit-status=\r\n1 BUILT $00~a\r\n2 LAUNCHED\r\n.\r\n250 OK\r\n",
        "250-version=0.4.9.11\r\n250+config-text=\r\n\r\n..hidden\r\n...\r\n\r\n.\r\n250-uptime=3\r\n250+x=\r\n.\r\n250 OK\r\n",
        "650 CIRC 1 LAUNCHED\r\n250 OK\r\n650-CONF_CHANGED\r\n650-Nickname=x\r\n650 OK\r\n552 Unrecognized event \"X\"\r\n",
        "650+HS_DESC_CONTENT a b c\r\nhs-descriptor 3\r\n\r\n.\r\n650 OK\r\n515 Authentication failed\r\n",
        "250\r\n250 \r\n250-\r\n250 OK\n",
    ];

    [Test]
    public void TryRead_of_a_mixed_reply_keeps_lines_data_and_blank_lines()
    {
        var reply = ReadAll(Streams[3]).Single();

        Assert.That(reply.Code, Is.EqualTo(250));
        Assert.That(reply.IsPositive && !reply.IsAsynchronous);
        Assert.That(reply.Lines, Is.EqualTo(new ControlReplyLine[]
        {
            new("version=0.4.9.11"),
            new("config-text=", "\n.hidden\n..\n\n"),
            new("uptime=3"),
            new("x=", ""),
            new("OK"),
        }));
    }

    [Test]
    public void TryRead_of_events_between_replies_keeps_them_apart()
    {
        var replies = ReadAll(Streams[4]);

        Assert.That(replies.Select(reply => reply.Code), Is.EqualTo(new[] { 650, 250, 650, 552 }));
        Assert.That(replies.Select(reply => reply.IsAsynchronous), Is.EqualTo(new[] { true, false, true, false }));
        Assert.That(replies[2].Lines.Select(line => line.Text), Is.EqualTo(new[] { "CONF_CHANGED", "Nickname=x", "OK" }));
        Assert.That(replies[3].Text, Is.EqualTo("Unrecognized event \"X\""));
    }

    [Test]
    public void TryRead_takes_a_bare_status_code_and_a_bare_LF()
        => Assert.That(ReadAll(Streams[6]).Select(reply => reply.Lines.Count + reply.Text), Is.EqualTo(new[] { "1", "1", "2OK" }));

    [Test]
    public void TryRead_keeps_bytes_beyond_ASCII()
    {
        byte[] bytes = [.. "250-a="u8, 0x80, 0xff, 0x00, .. "\r\n250 OK\r\n"u8];
        var buffer = new ReadOnlySequence<byte>(bytes);

        Assert.That(new ControlProtocolParser().TryRead(ref buffer, out var reply));
        Assert.That(reply!.Lines[0].Text, Is.EqualTo("a=\u0080\u00ff\0"));
    }

    [TestCaseSource(nameof(Streams))]
    public void TryRead_split_at_every_byte_gives_the_same(string text)
    {
        var whole = Describe(ReadAll(text));
        for (int split = 0; split <= text.Length; split++)
            Assert.That(Describe(Feed(Encoding.Latin1.GetBytes(text), [split])), Is.EqualTo(whole), $"in two calls, split at {split}");
        for (int split = 1; split < text.Length; split++)
        {
            var buffer = TwoSegments(Encoding.Latin1.GetBytes(text), split);
            var replies = new List<ControlReply>();
            var parser = new ControlProtocolParser();
            while (parser.TryRead(ref buffer, out var reply))
                replies.Add(reply);
            Assert.That(Describe(replies), Is.EqualTo(whole), $"in two segments, split at {split}");
        }

        Assert.That(Describe(Feed(Encoding.Latin1.GetBytes(text), Enumerable.Range(0, text.Length))), Is.EqualTo(whole), "byte by byte");
    }

    [TestCase("25 OK\r\n")]
    [TestCase("\r\n")]
    [TestCase("250 OK\r\n\r\n250 OK\r\n")]
    [TestCase("OK\r\n")]
    [TestCase("250=OK\r\n")]
    [TestCase("2x0 OK\r\n")]
    [TestCase("250-a\r\n650 CIRC 1 BUILT\r\n")]
    [TestCase("650-CONF_CHANGED\r\n250 OK\r\n")]
    public void TryRead_of_something_else_throws_its_own_exception(string text)
        => Assert.That(() => ReadAll(text), Throws.InstanceOf<ControlProtocolException>());

    [TestCase("250 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TestName = "TryRead_of_an_endless_line_throws")]
    [TestCase(
        "250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n250-a\r\n",
        TestName = "TryRead_of_endless_lines_throws")]
    [TestCase(
        "250+a\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
        TestName = "TryRead_of_endless_data_throws")]
    public void TryRead_past_the_cap(string text)
    {
        var parser = new ControlProtocolParser(maxReplyBytes: 50);
        Assert.That(
            () => Feed(Encoding.Latin1.GetBytes(text), Enumerable.Range(0, text.Length), parser),
            Throws.InstanceOf<ControlProtocolException>().With.Message.Contains("50 bytes"));
    }

    [Test]
    public void TryRead_counts_the_cap_for_each_reply_alone()
        => Assert.That(
            Feed(
                Encoding.Latin1.GetBytes(string.Concat(Enumerable.Repeat("250 OK\r\n", 1000))), [],
                new ControlProtocolParser(maxReplyBytes: 50)),
            Has.Count.EqualTo(1000));

    [Test, CancelAfter(60_000)]
    public void TryRead_of_a_document_of_many_megabytes_in_small_pieces_stays_linear()
    {
        // Quadratic work would be 8 MiB x 8192 pieces / 2 = 32 GiB of searching.
        byte[] bytes = [.. "250-a="u8, .. Enumerable.Repeat((byte)'x', 8 << 20), .. "\r\n250 OK\r\n"u8];
        var replies = Feed(bytes, Enumerable.Range(0, bytes.Length / 1024).Select(i => i * 1024));
        Assert.That(replies.Single().Lines[0].Text, Has.Length.EqualTo((8 << 20) + 2));
    }

    [Test, CancelAfter(60_000)]
    public void TryRead_of_mutated_input_throws_nothing_but_its_own_exception()
    {
        var random = new Random(20261120);
        int refused = 0;
        for (int round = 0; round < 10_000; round++)
        {
            byte[] bytes = Encoding.Latin1.GetBytes(Streams[random.Next(Streams.Length)]);
            for (int i = random.Next(1, 5); i > 0; i--)
                bytes[random.Next(bytes.Length)] = (byte)(random.Next(3) == 0 ? "\r\n .-+=\""[random.Next(8)] : random.Next(256));
            try
            {
                foreach (var reply in Feed(bytes, [random.Next(bytes.Length)], new ControlProtocolParser(1000)))
                    Assert.That(reply.Lines, Is.Not.Empty);
            }
            catch (ControlProtocolException)
            {
                refused++;
            }
        }

        Assert.That(refused, Is.InRange(100, 9900), "mutations are neither harmless nor always fatal");
    }

    private static List<ControlReply> ReadAll(string text) => Feed(Encoding.Latin1.GetBytes(text), []);

    /// <summary>Passes ever longer prefixes, as a PipeReader does: what was not consumed comes again.</summary>
    private static List<ControlReply> Feed(byte[] bytes, IEnumerable<int> splits, ControlProtocolParser? parser = null)
    {
        parser ??= new ControlProtocolParser();
        var replies = new List<ControlReply>();
        int consumed = 0;
        foreach (int end in splits.Append(bytes.Length))
        {
            if (end < consumed)
                continue;
            var buffer = new ReadOnlySequence<byte>(bytes, consumed, end - consumed);
            while (parser.TryRead(ref buffer, out var reply))
                replies.Add(reply);
            consumed = end - (int)buffer.Length;
        }

        return replies;
    }

    private static string Describe(IEnumerable<ControlReply> replies)
        => string.Join("|", replies.Select(reply => $"{reply.Code}:{string.Join(";", reply.Lines)}"));

    private static ReadOnlySequence<byte> TwoSegments(byte[] bytes, int split)
    {
        var first = new Segment(bytes.AsMemory(0, split), 0);
        var second = first.Append(bytes.AsMemory(split));
        return new ReadOnlySequence<byte>(first, 0, second, second.Memory.Length);
    }
}
