using System.Buffers;
using System.Text;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Health;

/// <summary>What a canary's far end said, as far as it is needed.</summary>
/// <param name="StatusLine">As it came; null: it does not speak HTTP.</param>
/// <param name="IsTor">What check.torproject.org says of the way the request came; null: it was not asked, or did not say.</param>
internal readonly record struct CanaryAnswer(string? StatusLine, bool? IsTor)
{
    /// <summary>Longer ones are cut off.</summary>
    private const int MaxBytes = 16 * 1024;

    /// <summary>Reads until the status line is there, or with <paramref name="wantsIsTor"/> the JSON behind the head.</summary>
    public static async Task<CanaryAnswer> ReadAsync(Stream stream, bool wantsIsTor, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[MaxBytes];
        int length = 0, count;
        while (length < buffer.Length && (count = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken)) > 0)
        {
            length += count;
            if (IsEnough(buffer.AsMemory(0, length), wantsIsTor))
                break;
        }

        return Parse(buffer.AsMemory(0, length), wantsIsTor);
    }

    /// <param name="answer">What came before the far end had said enough, or had finished.</param>
    private static CanaryAnswer Parse(ReadOnlyMemory<byte> answer, bool wantsIsTor) =>
        LineOf(answer) is { } line ? new CanaryAnswer(line, wantsIsTor ? ReadIsTor(answer) : null) : default;

    /// <summary>
    /// The line by itself: the fields need not be waited for, and that one of them is not valid is no fault of the circuit.
    /// </summary>
    private static string? LineOf(ReadOnlyMemory<byte> answer)
    {
        int end = answer.Span.IndexOf((byte)'\n');
        var line = (end < 0 ? answer : answer[..end]).Span.TrimEnd((byte)'\r');
        return ParseHead((byte[])[.. line, .. "\r\n\r\n"u8]) == HttpParseStatus.Complete ? Encoding.Latin1.GetString(line) : null;
    }

    private static bool IsEnough(ReadOnlyMemory<byte> answer, bool wantsIsTor)
    {
        // Whoever begins with something else may go on with it for as long as it likes.
        if (!answer.Span.Contains((byte)'\n'))
            return ParseHead(answer) == HttpParseStatus.Rejected;
        return !wantsIsTor || LineOf(answer) is null || BodyOf(answer).Span.Contains((byte)'}');
    }

    private static bool? ReadIsTor(ReadOnlyMemory<byte> answer)
    {
        var body = BodyOf(answer).Span;
        return body.IndexOf("\"IsTor\":"u8) < 0 ? null : body.IndexOf("\"IsTor\":true"u8) >= 0;
    }

    /// <summary>What stands behind the head, whatever its fields are.</summary>
    private static ReadOnlyMemory<byte> BodyOf(ReadOnlyMemory<byte> answer)
    {
        int strict = answer.Span.IndexOf("\r\n\r\n"u8), bare = answer.Span.IndexOf("\n\n"u8);
        if (strict >= 0 && (bare < 0 || strict < bare))
            return answer[(strict + 4)..];
        return bare < 0 ? default : answer[(bare + 2)..];
    }

    private static HttpParseStatus ParseHead(ReadOnlyMemory<byte> answer)
    {
        using var head = new HttpResponseHead();
        var scanner = HttpHeadScanner.ForResponse();
        var rest = new ReadOnlySequence<byte>(answer);
        return HttpResponseParser.TryParse(ref rest, ref scanner, toHeadRequest: false, head, out _);
    }
}
