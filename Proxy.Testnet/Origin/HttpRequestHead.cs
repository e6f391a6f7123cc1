using System.Buffers;
using System.Globalization;
using System.Text;

namespace TorBalancer.Testnet.Origin;

/// <summary>
/// The head of one HTTP/1.x request, kept as it came besides being read.
/// <code>
///   POST /echo HTTP/1.1 CRLF
///   Content-Length: 5 CRLF
///   CRLF
/// </code>
/// </summary>
internal sealed class HttpRequestHead
{
    /// <summary>A head longer than this is refused.</summary>
    public const int MaxLength = 64 * 1024;

    private readonly List<KeyValuePair<string, string>> _headers;

    private HttpRequestHead(string method, string target, string version, List<KeyValuePair<string, string>> headers, string raw)
    {
        Method = method;
        Target = target;
        Version = version;
        _headers = headers;
        Raw = raw;
    }

    public string Method { get; }

    /// <summary>The request target as it came: a proxy that forwards absolute-form is seen here.</summary>
    public string Target { get; }

    /// <summary>HTTP/1.0 or HTTP/1.1.</summary>
    public string Version { get; }

    /// <summary>All of it, the empty line included, bytes as Latin-1.</summary>
    public string Raw { get; }

    /// <summary>The path without scheme, authority and query.</summary>
    public string Path
    {
        get
        {
            string path = Target;
            int scheme = path.IndexOf("://", StringComparison.Ordinal);
            if (scheme > 0)
            {
                int slash = path.IndexOf('/', scheme + 3);
                path = slash < 0 ? "/" : path[slash..];
            }

            int query = path.IndexOf('?', StringComparison.Ordinal);
            return query < 0 ? path : path[..query];
        }
    }

    public bool IsHead => Method == "HEAD";

    /// <summary>Whether the client wants to go on with this connection (RFC 9112, 9.3).</summary>
    public bool KeepAlive => Version == "HTTP/1.1" ? !HasToken("Connection", "close") : HasToken("Connection", "keep-alive");

    public bool IsChunked => HasToken("Transfer-Encoding", "chunked");

    public bool ExpectsContinue => HasToken("Expect", "100-continue");

    /// <summary>The body's length; 0 without the field; null when it makes no sense.</summary>
    public long? ContentLength => this["Content-Length"] is not { } text
        ? 0
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long length) ? length : null;

    /// <summary>The first field of that name, or null.</summary>
    public string? this[string name]
    {
        get
        {
            foreach (var (key, value) in _headers)
            {
                if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
                    return value;
            }

            return null;
        }
    }

    /// <summary>Takes one head off <paramref name="buffer"/>. False: more is needed. A null head: it is malformed or too long.</summary>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, out HttpRequestHead? head)
    {
        head = null;
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> text, "\r\n\r\n"u8))
            return buffer.Length > MaxLength;
        if (text.Length <= MaxLength)
            head = Parse(Encoding.Latin1.GetString(text));
        buffer = buffer.Slice(reader.Position);
        return true;
    }

    private static HttpRequestHead? Parse(string text)
    {
        string[] lines = text.Split("\r\n");
        string[] request = lines[0].Split(' ');
        if (request.Length != 3 || request[2] is not ("HTTP/1.0" or "HTTP/1.1"))
            return null;
        var headers = new List<KeyValuePair<string, string>>(lines.Length - 1);
        foreach (string line in lines.AsSpan(1))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0)
                return null;
            headers.Add(new(line[..colon], line[(colon + 1)..].Trim(' ', '\t')));
        }

        return new HttpRequestHead(request[0], request[1], request[2], headers, text + "\r\n\r\n");
    }

    private bool HasToken(string name, string token)
    {
        foreach (var (key, value) in _headers)
        {
            if (!key.Equals(name, StringComparison.OrdinalIgnoreCase))
                continue;
            foreach (Range part in value.AsSpan().Split(','))
            {
                if (value.AsSpan(part).Trim().Equals(token, StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }

        return false;
    }
}
