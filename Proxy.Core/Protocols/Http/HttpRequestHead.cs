using System.Buffers;
using System.Globalization;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>A parsed request head. Filled by <see cref="HttpRequestParser"/>; valid until the next one is parsed into it.</summary>
internal sealed partial class HttpRequestHead : HttpHead
{
    public const int MaxMethodLength = 32;

    private (int Start, int Length) _path;

    /// <summary>The method; case-sensitive (RFC 9110, section 9.1).</summary>
    public string Method { get; private set; } = "";

    public bool IsConnect { get; private set; }

    public bool IsHead { get; private set; }

    /// <summary>RFC 9110, section 9.2.2: asking twice does the same as asking once.</summary>
    public bool IsIdempotent { get; private set; }

    /// <summary>0 or 1: HTTP/1.0 or HTTP/1.1.</summary>
    public int MinorVersion { get; private set; }

    /// <summary>Where to; becomes the Host field (RFC 9112, section 3.2.2).</summary>
    public HostEndPoint Target { get; private set; }

    /// <summary>Path and query in origin-form; empty stands for "/", or for "*" when <see cref="IsServerWide"/>.</summary>
    public ReadOnlySpan<byte> Path => Span(_path.Start, _path.Length);

    /// <summary>OPTIONS without path and query: "*" to the origin (RFC 9112, section 3.2.4).</summary>
    public bool IsServerWide => _path.Length == 0 && Method == "OPTIONS";

    /// <summary>
    /// The client may send another request on this connection. With HTTP/1.0 it asks for that, by Connection or Proxy-Connection
    /// (RFC 9112, appendix C.2.2; section 9.3 has proxies refuse it for fear of older ones in between, which pass such a field on).
    /// </summary>
    public bool KeepAlive { get; private set; }

    /// <summary>It must be told that the connection is kept: in HTTP/1.0 that does not go without saying.</summary>
    public bool WantsKeepAliveTold => KeepAlive && MinorVersion == 0;

    /// <summary>The client waits for 100 (Continue) before it sends the body.</summary>
    public bool ExpectsContinue { get; private set; }

    /// <summary>An Upgrade field, named by Connection, to something that can be tunnelled.</summary>
    public bool IsUpgrade { get; private set; }

    /// <summary>The client understands trailers (RFC 9110, section 10.1.4).</summary>
    public bool AcceptsTrailers { get; private set; }

    /// <summary>Max-Forwards of OPTIONS and TRACE (RFC 9110, section 7.6.2); -1 when there is none.</summary>
    public int MaxForwards { get; private set; }

    public ClientCredentials? Credentials { get; private set; }

    /// <summary>A Proxy-Authorization came that cannot be read, or several.</summary>
    public bool HasBadCredentials { get; private set; }

    /// <summary>What Tor's isolation fields say; see <see cref="ProxyRequest.Isolation"/>.</summary>
    public string? Isolation { get; private set; }

    /// <summary>The client asks for the exit that its connection gets.</summary>
    public bool AsksForExit { get; private set; }

    /// <summary>An OPTIONS that is meant for this proxy: its target is "*", or its Max-Forwards are used up.</summary>
    public bool IsAboutProxy { get; private set; }

    /// <summary>A GET or HEAD of a path of <see cref="ProxyAutoConfig"/> in origin-form: of this proxy's own.</summary>
    public bool AsksForAutoConfig { get; private set; }

    /// <summary>The session that it is to name, as it was sent; null: none is asked for.</summary>
    public string? AutoConfigSession { get; private set; }

    /// <summary>Forgets the last request.</summary>
    public void Clear()
    {
        Release();
        Method = "";
        IsConnect = false;
        IsHead = false;
        KeepAlive = false;
        Credentials = null;
        Isolation = null;
        IsAboutProxy = false;
        AsksForAutoConfig = false;
        AutoConfigSession = null;
    }

    internal bool Parse(in ReadOnlySequence<byte> head, out HttpReject reject)
    {
        Load(head);
        int at = 0;
        var line = TakeLine(ref at);
        if (!ParseRequestLine(line.Start, line.Length, out var target, out reject))
            return false;
        string? problem = ParseFields(at, lenient: false) ?? CollectConnectionOptions(lenient: false);
        if (problem is not null)
            return Refuse(HttpReject.BadRequest(problem), out reject);

        return (IsConnect ? ParseConnectTarget(target, out reject) : ParseAbsoluteTarget(target, out reject))
            && CheckHost(out reject) && SetFraming(out reject) && SetOptions(out reject);
    }

    //  request-line = method SP request-target SP HTTP-version CRLF     (RFC 9112, section 3)
    private bool ParseRequestLine(int start, int length, out (int Start, int Length) target, out HttpReject reject)
    {
        target = default;
        reject = default;
        var line = Span(start, length);
        int first = line.IndexOf((byte)' ');
        int last = line.LastIndexOf((byte)' ');
        if (first <= 0 || last <= first || !HttpChars.IsToken(line[..first]) || first > MaxMethodLength)
            return Refuse(HttpReject.BadRequest("the request line is not 'METHOD target HTTP/1.1'"), out reject);

        var version = line[(last + 1)..];
        if (version.Length != 8 || !version.StartsWith("HTTP/"u8) || version[6] != '.'
            || !char.IsAsciiDigit((char)version[5]) || !char.IsAsciiDigit((char)version[7]))
            return Refuse(HttpReject.BadRequest("the request line does not end in an HTTP version"), out reject);
        if (version[5] != '1' || version[7] is not ((byte)'0' or (byte)'1'))
            return Refuse(HttpReject.Of(505, "only HTTP/1.0 and HTTP/1.1 are spoken here"), out reject);

        target = (start + first + 1, last - first - 1);
        if (target.Length <= 0 || Span(target.Start, target.Length).ContainsAny(HttpChars.TargetForbidden))
            return Refuse(HttpReject.BadRequest("the request target holds a space, a control character or a fragment"), out reject);
        MinorVersion = version[7] - '0';
        SetMethod(line[..first]);
        return true;
    }

    private void SetMethod(ReadOnlySpan<byte> method)
    {
        Method = method switch
        {
            _ when method.SequenceEqual("GET"u8) => "GET",
            _ when method.SequenceEqual("CONNECT"u8) => "CONNECT",
            _ when method.SequenceEqual("POST"u8) => "POST",
            _ when method.SequenceEqual("HEAD"u8) => "HEAD",
            _ when method.SequenceEqual("PUT"u8) => "PUT",
            _ when method.SequenceEqual("DELETE"u8) => "DELETE",
            _ when method.SequenceEqual("OPTIONS"u8) => "OPTIONS",
            _ when method.SequenceEqual("PATCH"u8) => "PATCH",
            _ => Encoding.ASCII.GetString(method),
        };
        IsConnect = Method == "CONNECT";
        IsHead = Method == "HEAD";
        IsIdempotent = Method is "GET" or "HEAD" or "PUT" or "DELETE" or "OPTIONS" or "TRACE";
    }

    private bool SetFraming(out HttpReject reject)
    {
        reject = default;
        var framing = HttpFraming.Read(this, MinorVersion, lenient: false);
        if (framing.Problem is not null)
            return Refuse(HttpReject.BadRequest(framing.Problem), out reject);
        ContentLength = framing.ContentLength;
        Body = framing.Chunked ? HttpBodyKind.Chunked : ContentLength > 0 ? HttpBodyKind.Length : HttpBodyKind.None;

        // Content of CONNECT means nothing (RFC 9110, section 9.3.6), and nobody can say whether its bytes would be the tunnel's first.
        // Content-Length: 0 frames none.
        if (IsConnect && Body != HttpBodyKind.None)
            return Refuse(HttpReject.BadRequest("CONNECT has no body"), out reject);
        return true;
    }

    private bool SetOptions(out HttpReject reject)
    {
        reject = default;
        KeepAlive = !IsConnectionOption("close"u8) && (MinorVersion == 1 || IsConnectionOption("keep-alive"u8));
        ExpectsContinue = false;
        IsUpgrade = false;
        AcceptsTrailers = false;
        MaxForwards = -1;
        Credentials = null;
        Isolation = null;
        AsksForExit = false;
        HasBadCredentials = false;
        bool authorized = false, http2 = false;
        HttpField isolation = default, legacyIsolation = default;
        foreach (ref readonly var field in Fields)
        {
            var value = Value(field);
            switch (field.Id)
            {
                case HttpFieldId.Expect:
                    ExpectsContinue |= MinorVersion == 1 && HttpChars.EqualsIgnoreCase(value, "100-continue"u8);
                    break;
                case HttpFieldId.Upgrade:
                    IsUpgrade = MinorVersion == 1 && !value.IsEmpty && IsConnectionOption("upgrade"u8);
                    http2 |= value.Length >= 2 && HttpChars.EqualsIgnoreCase(value[..2], "h2"u8);
                    break;
                case HttpFieldId.Te:
                    while (HttpChars.TryTakeListMember(ref value, out var coding))
                        AcceptsTrailers |= MinorVersion == 1 && HttpChars.EqualsIgnoreCase(coding, "trailers"u8);
                    break;
                case HttpFieldId.MaxForwards when Method is "OPTIONS" or "TRACE":
                    if (value.IsEmpty || value.Length > 9 || value.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
                        return Refuse(HttpReject.BadRequest("a Max-Forwards that is no number"), out reject);
                    MaxForwards = int.Parse(value, CultureInfo.InvariantCulture);
                    if (MaxForwards == 0 && Method == "TRACE")
                        return Refuse(
                            HttpReject.Of(501, "Max-Forwards is used up, and this proxy does not answer TRACE itself"), out reject);
                    IsAboutProxy |= MaxForwards == 0;
                    break;
                case HttpFieldId.TorStreamIsolation when isolation.Id == default:
                    isolation = field;
                    break;
                case HttpFieldId.TorStreamIsolationLegacy when legacyIsolation.Id == default:
                    legacyIsolation = field;
                    break;
                case HttpFieldId.TorRpcTarget:
                    return Refuse(HttpReject.BadRequest("Tor-RPC-Target asks for Arti's RPC, which this proxy does not have"), out reject);
                case HttpFieldId.Exit:
                    AsksForExit = true;
                    break;
                case HttpFieldId.ProxyAuthorization:
                    HasBadCredentials |= !BasicCredentials.TryParse(value, out var credentials) || authorized;
                    Credentials = credentials;
                    authorized = true;
                    break;
            }
        }

        if (isolation.Id != default || legacyIsolation.Id != default)
            Isolation = Isolate(isolation, legacyIsolation);

        // An upgrade to HTTP/2 is a second way to the same end and needs a field (HTTP2-Settings) that goes no further
        // than this hop: it is left out, and the origin answers in HTTP/1.1 (RFC 9110, section 7.8).
        IsUpgrade &= !http2;
        return true;
    }

    /// <summary>
    /// Both as one text, which no other two give: a value holds no NUL. Of several of one kind the first counts, and the same value under
    /// the other name is another one, as with tor.
    /// </summary>
    private string Isolate(in HttpField current, in HttpField legacy) =>
        (current.Id == default ? "" : "t" + Encoding.Latin1.GetString(Value(current)))
            + (legacy.Id == default ? "" : "\0x" + Encoding.Latin1.GetString(Value(legacy)));

    private static bool Refuse(HttpReject with, out HttpReject reject)
    {
        reject = with;
        return false;
    }
}
