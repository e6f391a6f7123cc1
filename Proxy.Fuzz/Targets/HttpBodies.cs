using System.Buffers;
using System.Globalization;
using System.Text;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Fuzz.Targets;

/// <summary>What the targets of requests and responses share: bodies that are moved on, and heads as text.</summary>
internal static class HttpBodies
{
    /// <summary>Moves a body on as the forwarder does; what came of it goes to the transcript.</summary>
    /// <returns>True when it is over and what is behind it may be another message.</returns>
    public static bool Move(ScriptedReader from, HttpBodyPlan plan, StringBuilder transcript)
    {
        if (plan.Kind == HttpBodyKind.None)
            return true;
        var sink = new ScriptedConnection();
        using var output = new HttpOutput(sink, null, towardsUpstream: true);
        var pump = new HttpBodyPump(from, output);
        var end = Expect.AtOnce(pump.RunAsync(plan, default, default));
        transcript.Append(CultureInfo.InvariantCulture, $"{end}\n");

        // How much of a body that breaks off has gone on depends on when it came.
        if (end != HttpBodyEnd.Complete)
            return false;
        byte[] written = sink.Written;
        if (!plan.ChunkedOut)
        {
            Expect.That(plan.Kind != HttpBodyKind.Length || written.Length == plan.Length, "a body is as long as its head says");
            transcript.Append(Encoding.Latin1.GetString(written));
        }
        else if (ReferenceChunks.Decode(written) is { } decoded)
        {
            string trailers = Encoding.Latin1.GetString(written.AsSpan(decoded.Length));
            CheckLines(trailers, "trailers");
            transcript.Append(Encoding.Latin1.GetString(decoded.Body)).Append(trailers);
        }
        else
        {
            throw new BrokenPropertyException("what is written in chunks is chunked as RFC 9112 says");
        }

        transcript.Append(CultureInfo.InvariantCulture, $"{pump.IsRepaired} {pump.EndedByClose}\n");
        return !pump.IsRepaired && !pump.EndedByClose;
    }

    /// <summary>What was written to the other side is one section of lines: each ends with CR LF, and the empty one is the last.</summary>
    public static void CheckLines(string section, string what)
    {
        Expect.That(section.EndsWith("\r\n", StringComparison.Ordinal), $"{what} end with an empty line");
        string[] lines = section[..^2].Split("\r\n");
        for (int i = 0; i < lines.Length; i++)
        {
            Expect.That(lines[i].AsSpan().IndexOfAny("\r\n\0") < 0, $"no line of {what} holds a line end of its own");
            Expect.That(lines[i].Length > 0 || i == lines.Length - 1, $"{what} end at their first empty line");
        }
    }

    /// <summary>All of a head that was read, as text.</summary>
    public static void Describe(HttpHead head, StringBuilder transcript)
    {
        transcript.Append(CultureInfo.InvariantCulture, $"{head.Body} {head.ContentLength} {head.IsRepaired}\n");
        foreach (var field in head.Fields)
        {
            transcript.Append(CultureInfo.InvariantCulture, $"{field.Id} ")
                .Append(Encoding.Latin1.GetString(head.Name(field))).Append(": ")
                .Append(Encoding.Latin1.GetString(head.Value(field))).Append('\n');
        }
    }

    /// <summary>What a writer of heads writes.</summary>
    public static byte[] Written(Action<HttpOutput> write)
    {
        var sink = new ScriptedConnection();
        using var output = new HttpOutput(sink, null, towardsUpstream: true);
        write(output);
        Expect.AtOnce(output.FlushAsync(default));
        return sink.Written;
    }

    public static ReadOnlySequence<byte> Sequence(string text) => new(Encoding.Latin1.GetBytes(text));
}
