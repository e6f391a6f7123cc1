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

    /// <returns>Null, or what is wrong.</returns>
    internal string? Parse(in ReadOnlySequence<byte> head, bool toHeadRequest)
    {
        Load(head);
        int at = 0;
        var (start, length) = TakeLine(ref at);
        TrimReturns(start, ref length);
        if (!CleanValue(start, length, lenient: true, out _))
            return "a NUL or CR in the status line";
        if (!TryParseStatusLine(start, length, out int minorVersion))
            return "no HTTP/1 status line";
        return ParseFields(at, lenient: true) ?? CollectConnectionOptions(lenient: true) ?? SetFraming(minorVersion, toHeadRequest);
    }

    /// <summary>
    /// Takes white space of any length for the separators, as RFC 9112 lets recipients do, and everything behind three
    /// digits for the reason: "404.3 Not Found", "200OK".
    /// <code>
    /// status-line = HTTP-version SP status-code SP [ reason-phrase ] CRLF     (RFC 9112, section 4)
    /// </code>
    /// </summary>
    private bool TryParseStatusLine(int start, int length, out int minorVersion)
    {
        var line = Span(start, length);
        int end = line.IndexOfAny((byte)' ', (byte)'\t');
        if (!TryParseVersion(line[..Math.Max(end, 0)], out minorVersion))
            return false;
        var rest = line[end..].TrimStart(" \t"u8);
        if (rest.Length < 3 || rest[..3].ContainsAnyExceptInRange((byte)'0', (byte)'9') || rest[0] == '0'
            || (rest.Length > 3 && char.IsAsciiDigit((char)rest[3])))
            return false;
        Status = (rest[0] - '0') * 100 + (rest[1] - '0') * 10 + (rest[2] - '0');
        var reason = HttpChars.TrimOws(rest[3..]);
        _reason = (start + length - rest[3..].TrimStart(" \t"u8).Length, reason.Length);
        return true;
    }

    /// <summary>
    /// Any version in the shape of HTTP/1's: what comes in it is HTTP/1 (RFC 9110, section 2.5), and scripts copy
    /// "HTTP/2.0" from their server's other side. "ICY" (Shoutcast) and "HTTP" alone are HTTP/1.0.
    /// </summary>
    private bool TryParseVersion(ReadOnlySpan<byte> version, out int minorVersion)
    {
        minorVersion = 0;
        if (HttpChars.EqualsIgnoreCase(version, "ICY"u8) || HttpChars.EqualsIgnoreCase(version, "HTTP"u8))
        {
            IsRepaired = true;
            return true;
        }

        if (!HttpChars.StartsWithVersionName(version))
            return false;
        var number = version["HTTP/"u8.Length..];
        int dot = number.IndexOf((byte)'.');
        var major = dot < 0 ? number : number[..dot];
        var minor = dot < 0 ? "0"u8 : number[(dot + 1)..];
        if (major.IsEmpty
            || minor.IsEmpty
            || major.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            || minor.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return false;
        bool isFirst = major is [(byte)'1'];
        minorVersion = major is [(byte)'0'] || (isFirst && minor is [(byte)'0']) ? 0 : 1;
        IsRepaired |= !isFirst || minor is not [(byte)'0' or (byte)'1'];
        return true;
    }

    // RFC 9112, section 6.3, in its order: a response without a body ends at the empty line, whatever its fields say
    private string? SetFraming(int minorVersion, bool toHeadRequest)
    {
        bool bodyless = toHeadRequest || Status is < 200 or 204 or 304;
        var framing = HttpFraming.Read(this, minorVersion, lenient: true);
        if (framing.Problem is not null && !bodyless)
            return framing.Problem;
        IsRepaired |= framing.IsRepaired || framing.Problem is not null;
        ContentLength = framing.ContentLength;
        if (bodyless)
            Body = HttpBodyKind.None;
        else if (framing.Chunked)
            Body = HttpBodyKind.Chunked;
        else if (ContentLength >= 0)
            Body = ContentLength > 0 ? HttpBodyKind.Length : HttpBodyKind.None;
        else
            Body = HttpBodyKind.UntilClose;
        KeepAlive = minorVersion == 1 && Body != HttpBodyKind.UntilClose && !IsConnectionOption("close"u8) && !IsRepaired;
        return null;
    }
}
