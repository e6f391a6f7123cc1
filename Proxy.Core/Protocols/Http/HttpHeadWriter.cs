using System.Net.Sockets;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// Writes heads for the next hop: what concerned only the last hop is dropped (RFC 9110, section 7.6.1), what delimits
/// the body is ours. Order and spelling of all other fields stay. Nothing is added that names the client or us: no Via,
/// no Forwarded, no X-Forwarded-For.
/// </summary>
internal static class HttpHeadWriter
{
    private const int HttpPort = 80;

    /// <param name="close">No further request will come on this connection.</param>
    public static void WriteRequest(HttpOutput output, HttpRequestHead head, bool close)
    {
        Span<byte> method = stackalloc byte[HttpRequestHead.MaxMethodLength];
        output.Append(method[..Encoding.ASCII.GetBytes(head.Method, method)]);
        output.Append(" "u8);
        if (head.IsServerWide)
            output.Append("*"u8);
        else if (head.Path.IsEmpty || head.Path[0] == '?')
            output.Append("/"u8);
        output.Append(head.Path);
        output.Append(" HTTP/1.1\r\nHost: "u8);
        WriteAuthority(output, head.Target);
        output.Append("\r\n"u8);

        bool lengthWritten = false;
        foreach (ref readonly var field in head.Fields)
        {
            switch (field.Id)
            {
                case HttpFieldId.ContentLength when !lengthWritten:
                    lengthWritten = true;
                    WriteLength(output, head, field);
                    break;
                case HttpFieldId.MaxForwards when head.MaxForwards > 0:
                    output.Append("Max-Forwards: "u8);
                    output.AppendNumber(head.MaxForwards - 1);
                    output.Append("\r\n"u8);
                    break;
                case HttpFieldId.MaxForwards when head.MaxForwards < 0:
                case HttpFieldId.Expect when head.MinorVersion == 1:
                case HttpFieldId.Trailer when head.Body == HttpBodyKind.Chunked:
                case HttpFieldId.Upgrade when head.IsUpgrade:
                case HttpFieldId.Other when !head.IsConnectionOption(head.Name(field)):
                    WriteField(output, head, field);
                    break;
            }
        }

        if (head.Body == HttpBodyKind.Chunked)
            output.Append("Transfer-Encoding: chunked\r\n"u8);
        if (head.AcceptsTrailers)
            output.Append("TE: trailers\r\n"u8);
        WriteConnection(output, close && !head.IsUpgrade, head.IsUpgrade, head.AcceptsTrailers);
        output.Append("\r\n"u8);
    }

    /// <summary>
    /// Content-Length goes along where there is no body, too: it is the size that a GET would have had (RFC 9110, section
    /// 8.6). Transfer-Encoding belongs to the hop before; where there is no body nobody needs it.
    /// </summary>
    /// <param name="output">Where to.</param>
    /// <param name="head">The answer.</param>
    /// <param name="chunked">The body is written in chunks.</param>
    /// <param name="close">The connection ends behind this response.</param>
    /// <param name="tellKeepAlive">Says so when it does not (<see cref="HttpRequestHead.WantsKeepAliveTold"/>).</param>
    public static void WriteResponse(HttpOutput output, HttpResponseHead head, bool chunked, bool close, bool tellKeepAlive = false)
    {
        output.Append("HTTP/1.1 "u8);
        output.AppendNumber(head.Status);
        output.Append(" "u8);
        output.Append(head.Reason);
        output.Append("\r\n"u8);

        // 426 names what could be upgraded to; a 101 has done it (RFC 9110, section 7.8)
        bool upgrade = head.Status is 101 or 426;
        bool lengthWritten = head.Status is < 200 or 204;
        bool upgradeWritten = false;
        foreach (ref readonly var field in head.Fields)
        {
            switch (field.Id)
            {
                case HttpFieldId.ContentLength when !lengthWritten && head.ContentLength >= 0:
                    lengthWritten = true;
                    WriteLength(output, head, field);
                    break;
                case HttpFieldId.Upgrade when upgrade:
                    upgradeWritten = true;
                    WriteField(output, head, field);
                    break;
                case HttpFieldId.Trailer when chunked:
                case HttpFieldId.Other or HttpFieldId.Expect or HttpFieldId.Host or HttpFieldId.MaxForwards
                    when !head.IsConnectionOption(head.Name(field)):
                    WriteField(output, head, field);
                    break;
            }
        }

        if (chunked)
            output.Append("Transfer-Encoding: chunked\r\n"u8);
        WriteConnection(output, close, upgradeWritten, te: false, tellKeepAlive && !close);
        output.Append("\r\n"u8);
    }

    /// <summary>The trailer section with its empty line; what may not stand there is dropped.</summary>
    public static void WriteTrailers(HttpOutput output, HttpTrailers trailers)
    {
        foreach (ref readonly var field in trailers.Kept)
        {
            if (!HttpFieldNames.IsForbiddenInTrailer(trailers.Name(field)))
                WriteField(output, trailers, field);
        }

        output.Append("\r\n"u8);
    }

    /// <summary>A GET of our own, with the fields that curl sends; the connection ends behind its answer.</summary>
    /// <param name="schemePort">The port of the URL's scheme: another one is named in Host.</param>
    /// <param name="path">Path and query, escaped as in a URL.</param>
    public static byte[] Get(HostEndPoint target, int schemePort, string path) => Encoding.ASCII.GetBytes(
        $"GET {path} HTTP/1.1\r\nHost: {target.ToAuthority(schemePort)}\r\n"
        + "User-Agent: curl/8.5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n");

    /// <summary>The Host field's value: host and, unless it is http's own, port (RFC 9110, sections 4.2.3 and 7.2).</summary>
    private static void WriteAuthority(HttpOutput output, HostEndPoint target)
    {
        Span<byte> host = stackalloc byte[HostEndPoint.MaxHostLength];
        int length = Encoding.ASCII.GetBytes(target.Host, host);
        bool bracketed = target.Address is { AddressFamily: AddressFamily.InterNetworkV6 };
        output.Append(bracketed ? "["u8 : default);
        output.Append(host[..length]);
        output.Append(bracketed ? "]"u8 : default);
        if (target.Port == HttpPort)
            return;
        output.Append(":"u8);
        output.AppendNumber(target.Port);
    }

    private static void WriteField(HttpOutput output, HttpHead head, in HttpField field)
    {
        output.Append(head.Name(field));
        output.Append(": "u8);
        output.Append(head.Value(field));
        output.Append("\r\n"u8);
    }

    private static void WriteLength(HttpOutput output, HttpHead head, in HttpField field)
    {
        output.Append(head.Name(field));
        output.Append(": "u8);
        output.AppendNumber(head.ContentLength);
        output.Append("\r\n"u8);
    }

    private static void WriteConnection(HttpOutput output, bool close, bool upgrade, bool te, bool keepAlive = false)
    {
        if (!close && !upgrade && !te && !keepAlive)
            return;
        output.Append("Connection: "u8);
        bool first = true;
        Option(close, "close"u8);
        Option(keepAlive, "keep-alive"u8);
        Option(upgrade, "Upgrade"u8);
        Option(te, "TE"u8);
        output.Append("\r\n"u8);

        void Option(bool wanted, ReadOnlySpan<byte> name)
        {
            if (!wanted)
                return;
            if (!first)
                output.Append(", "u8);
            output.Append(name);
            first = false;
        }
    }
}
