using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>A parsed response head. Filled by <see cref="HttpResponseParser"/>; valid until the next one is parsed into it.</summary>
internal sealed class HttpResponseHead : HttpHead
{
    private (int Start, int Length) _reason;

    /// <summary>100-999.</summary>
    public int Status { get; private set; }

    public ReadOnlySpan<byte> Reason => Span(_reason.Start, _reason.Length);

    /// <summary>100-199 but 101: another response to the same request follows.</summary>
    public bool IsInterim => Status is < 200 and not 101;

    /// <summary>The origin lets the connection be used again, as far as the head says.</summary>
    public bool KeepAlive { get; private set; }

    internal string? Parse(in ReadOnlySequence<byte> head, bool toHeadRequest)
    {
        Load(head);
        int at = 0;
        var (start, length) = TakeLine(ref at);

        //  status-line = HTTP-version SP status-code SP [ reason-phrase ] CRLF     (RFC 9112, section 4)
        var line = Span(start, length);
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[7] is not ((byte)'0' or (byte)'1') || line[8] != ' '
            || line[9..12].ContainsAnyExceptInRange((byte)'0', (byte)'9') || line[9] == '0' || (line.Length > 12 && line[12] != ' '))
            return "no HTTP/1 status line";
        int reason = Math.Min(13, line.Length);
        if (line[reason..].ContainsAny(HttpChars.FieldValueForbidden))
            return "a control character in the status line";
        int minorVersion = line[7] - '0';
        Status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
        _reason = (start + reason, line.Length - reason);

        return ParseFields(at, HttpLimits.ResponseFields, lenient: true) ?? CollectConnectionOptions() ?? SetFraming(minorVersion, toHeadRequest);
    }

    // RFC 9112, section 6.3, in its order
    private string? SetFraming(int minorVersion, bool toHeadRequest)
    {
        var framing = HttpFraming.Read(this, minorVersion);
        if (framing.Problem is not null)
            return framing.Problem;
        ContentLength = framing.ContentLength;
        if (toHeadRequest || Status is < 200 or 204 or 304)
            Body = HttpBodyKind.None;
        else if (framing.Chunked)
            Body = HttpBodyKind.Chunked;
        else if (ContentLength >= 0)
            Body = ContentLength > 0 ? HttpBodyKind.Length : HttpBodyKind.None;
        else
            Body = HttpBodyKind.UntilClose;
        KeepAlive = minorVersion == 1 && Body != HttpBodyKind.UntilClose && !IsConnectionOption("close"u8);
        return null;
    }
}
