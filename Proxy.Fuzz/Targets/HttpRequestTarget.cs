using System.Globalization;
using System.Text;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// Requests of a client, one behind the other with their bodies. What goes on to the origin must mean there what it meant here: the
/// forwarded head, read again, is one head with the same method, target, path, fields and framing.
/// </summary>
internal static class HttpRequestTarget
{
    private const int MostRequests = 8;

    public static void Check(byte[] input) =>
        Expect.Same(Read(input, Pieces.Whole(input)), Read(input, Pieces.Of(input)), "requests are the same however they arrive");

    private static string Read(byte[] input, int[] ends)
    {
        var reader = new ScriptedReader(input, ends);
        var transcript = new StringBuilder();
        using var head = new HttpRequestHead();
        for (int i = 0; i < MostRequests; i++)
        {
            if (!TryRead(reader, head, transcript))
                break;
            Describe(head, transcript);
            if (head.IsConnect || head.IsAboutProxy || head.AsksForAutoConfig)
                break;
            CheckForwarded(head);
            var plan = new HttpBodyPlan(head.Body, head.ContentLength, head.Body == HttpBodyKind.Chunked, Lenient: false);
            if (!HttpBodies.Move(reader, plan, transcript))
                break;
        }

        return transcript.ToString();
    }

    private static bool TryRead(ScriptedReader reader, HttpRequestHead head, StringBuilder transcript)
    {
        var scanner = HttpHeadScanner.ForRequest();
        while (true)
        {
            var read = Expect.AtOnce(reader.ReadAsync());
            var buffer = read.Buffer;
            var status = HttpRequestParser.TryParse(ref buffer, ref scanner, head, out var reject);
            if (status == HttpParseStatus.Complete)
            {
                reader.AdvanceTo(buffer.Start);
                return true;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (status == HttpParseStatus.Incomplete && !read.IsCompleted)
                continue;
            Expect.That(status == HttpParseStatus.Incomplete || reject.Status is >= 400 and < 600, "a refusal has a status");
            transcript.Append(CultureInfo.InvariantCulture, $"{status}\n");
            return false;
        }
    }

    private static void Describe(HttpRequestHead head, StringBuilder transcript)
    {
        transcript.Append(CultureInfo.InvariantCulture, $"{head.Method} {head.Target} {Encoding.Latin1.GetString(head.Path)} ")
            .Append(CultureInfo.InvariantCulture, $"1.{head.MinorVersion} {head.KeepAlive} {head.ExpectsContinue} {head.IsUpgrade} ")
            .Append(CultureInfo.InvariantCulture, $"{head.MaxForwards} {head.Credentials?.User}:{head.Credentials?.Password} ")
            .Append(CultureInfo.InvariantCulture, $"{head.HasBadCredentials} {head.Isolation} {head.AsksForExit} {head.SaidHost()}\n");
        HttpBodies.Describe(head, transcript);
    }

    private static void CheckForwarded(HttpRequestHead head)
    {
        SocksClientTarget.CheckTarget(head.Target);
        byte[] forwarded = HttpBodies.Written(output => HttpHeadWriter.WriteRequest(output, head, close: false));
        string text = Encoding.Latin1.GetString(forwarded);
        HttpBodies.CheckLines(text, "a forwarded head");
        string[] lines = text.Split("\r\n");
        string[] words = lines[0].Split(' ');
        Expect.That(words.Length == 3 && words[2] == "HTTP/1.1", "a forwarded request line is METHOD target HTTP/1.1");
        Expect.That(lines[1].StartsWith("Host: ", StringComparison.Ordinal), "a forwarded head begins with its Host field");
        string authority = lines[1]["Host: ".Length..];

        // As a client would ask for it here; "*" of OPTIONS has no path there.
        string target = words[1] == "*" ? "" : words[1];
        var again = HttpBodies.Sequence($"{words[0]} http://{authority}{target} HTTP/1.1{text[lines[0].Length..]}");
        var scanner = HttpHeadScanner.ForRequest();
        using var second = new HttpRequestHead();
        var status = HttpRequestParser.TryParse(ref again, ref scanner, second, out var reject);

        // TRACE with none left is answered by whoever is asked.
        if (head.MaxForwards == 1)
            return;
        Expect.That(status == HttpParseStatus.Complete, $"a forwarded head can be read ({reject.Error})");
        Expect.That(again.IsEmpty, "a forwarded head is one head");
        Expect.Same(
            (second.Method, second.Target, second.Body, second.ContentLength, second.IsUpgrade),
            (head.Method, head.Target, head.Body, head.ContentLength, head.IsUpgrade), "a forwarded head means what the client's meant");
        if (head.MaxForwards >= 0)
            return;
        byte[] twice = HttpBodies.Written(output => HttpHeadWriter.WriteRequest(output, second, close: false));
        Expect.Same(Encoding.Latin1.GetString(twice), text, "a forwarded head, forwarded again, is the same");
    }
}
