using System.Globalization;
using System.Text;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// Responses of an origin, one behind the other with their bodies: to a GET and to a HEAD. What goes on to the client is written anew;
/// read again it is one strict head with the same status, fields and framing.
/// </summary>
internal static class HttpResponseTarget
{
    private const int MostResponses = 8;

    public static void Check(byte[] input)
    {
        foreach (bool toHead in (ReadOnlySpan<bool>)[false, true])
        {
            string whole = Read(input, Pieces.Whole(input), toHead);
            Expect.Same(whole, Read(input, Pieces.Of(input), toHead), "responses are the same however they arrive");
        }
    }

    private static string Read(byte[] input, int[] ends, bool toHead)
    {
        var reader = new ScriptedReader(input, ends);
        var transcript = new StringBuilder();
        using var head = new HttpResponseHead();
        for (int i = 0; i < MostResponses; i++)
        {
            if (!TryRead(reader, head, toHead, transcript))
                break;
            transcript.Append(CultureInfo.InvariantCulture, $"{head.Status} {Encoding.Latin1.GetString(head.Reason)} {head.KeepAlive}\n");
            HttpBodies.Describe(head, transcript);
            CheckForwarded(head, toHead);
            if (head.IsInterim)
                continue;
            var plan = new HttpBodyPlan(head.Body, head.ContentLength, head.Body == HttpBodyKind.Chunked, Lenient: true);
            if (!HttpBodies.Move(reader, plan, transcript) || !head.KeepAlive || head.Status == 101)
                break;
        }

        return transcript.ToString();
    }

    private static bool TryRead(ScriptedReader reader, HttpResponseHead head, bool toHead, StringBuilder transcript)
    {
        var scanner = HttpHeadScanner.ForResponse();
        while (true)
        {
            var read = Expect.AtOnce(reader.ReadAsync());
            var buffer = read.Buffer;
            var status = HttpResponseParser.TryParse(ref buffer, ref scanner, toHead, head, out var error);
            if (status == HttpParseStatus.Complete)
            {
                reader.AdvanceTo(buffer.Start);
                return true;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (status == HttpParseStatus.Incomplete && !read.IsCompleted)
                continue;
            Expect.Same(status == HttpParseStatus.Rejected, error.IsError, "a refusal says why");
            transcript.Append(CultureInfo.InvariantCulture, $"{status}\n");
            return false;
        }
    }

    private static void CheckForwarded(HttpResponseHead head, bool toHead)
    {
        bool chunked = head.Body == HttpBodyKind.Chunked, close = head.Body == HttpBodyKind.UntilClose;
        string text = Write(head, chunked, close);
        HttpBodies.CheckLines(text, "a forwarded head");
        var again = HttpBodies.Sequence(text);
        var scanner = HttpHeadScanner.ForResponse();
        using var second = new HttpResponseHead();
        var status = HttpResponseParser.TryParse(ref again, ref scanner, toHead, second, out var error);
        Expect.That(status == HttpParseStatus.Complete, $"a forwarded head can be read ({error})");
        Expect.That(again.IsEmpty, "a forwarded head is one head");
        Expect.That(!second.IsRepaired, "a forwarded head leaves nothing to be repaired");
        Expect.Same((second.Status, second.Body), (head.Status, head.Body), "a forwarded head means what the origin's meant");
        Expect.That(second.Reason.SequenceEqual(head.Reason), "a reason goes on as it is");
        if (head.Body == HttpBodyKind.Length)
            Expect.Same(second.ContentLength, head.ContentLength, "a body is as long for the client as for the origin");

        // Our own "Connection: close" names a field that an origin calls "Close".
        if (!close || !HasField(head, "close"u8))
            Expect.Same(Write(second, chunked, close), text, "a forwarded head, forwarded again, is the same");
    }

    private static bool HasField(HttpResponseHead head, ReadOnlySpan<byte> name)
    {
        foreach (var field in head.Fields)
        {
            if (HttpChars.EqualsIgnoreCase(head.Name(field), name))
                return true;
        }

        return false;
    }

    private static string Write(HttpResponseHead head, bool chunked, bool close) =>
        Encoding.Latin1.GetString(HttpBodies.Written(output => HttpHeadWriter.WriteResponse(output, head, chunked, close)));
}
