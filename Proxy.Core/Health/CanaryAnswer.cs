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
    internal static CanaryAnswer Parse(ReadOnlyMemory<byte> answer, bool wantsIsTor)
    {
        // The line by itself: the fields need not be waited for, and that one of them is not valid is no fault of the circuit.
        int end = answer.Span.IndexOf((byte)'\n');
        var line = (end < 0 ? answer : answer[..end]).Span.TrimEnd((byte)'\r');
        if (ParseHead((byte[])[.. line, .. "\r\n\r\n"u8], out _) != HttpParseStatus.Complete)
            return default;
        return new CanaryAnswer(Encoding.Latin1.GetString(line), wantsIsTor ? ReadIsTor(answer) : null);
    }

    private static bool IsEnough(ReadOnlyMemory<byte> answer, bool wantsIsTor)
    {
        if (!wantsIsTor)
            return answer.Span.Contains((byte)'\n');
        return ParseHead(answer, out var body) switch
        {
            HttpParseStatus.Incomplete => false,
            HttpParseStatus.Complete => body.Span.Contains((byte)'}'),
            _ => true,
        };
    }

    private static bool? ReadIsTor(ReadOnlyMemory<byte> answer)
    {
        if (ParseHead(answer, out var body) != HttpParseStatus.Complete || body.Span.IndexOf("\"IsTor\":"u8) < 0)
            return null;
        return body.Span.IndexOf("\"IsTor\":true"u8) >= 0;
    }

    private static HttpParseStatus ParseHead(ReadOnlyMemory<byte> answer, out ReadOnlyMemory<byte> body)
    {
        using var head = new HttpResponseHead();
        var scanner = HttpHeadScanner.ForResponse();
        var rest = new ReadOnlySequence<byte>(answer);
        var status = HttpResponseParser.TryParse(ref rest, ref scanner, toHeadRequest: false, head, out _);
        body = status == HttpParseStatus.Complete ? rest.First : default;
        return status;
    }
}
