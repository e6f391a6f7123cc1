using System.IO.Pipelines;
using TorBalancer.Protocols.ProxyProtocol;

namespace TorBalancer.Protocols;

/// <summary>Tells by the first byte what a client speaks: 05, 04, or the letter of an HTTP method.</summary>
internal static class ProtocolDetector
{
    /// <summary>
    /// What a read has brought: true with the protocol family, of which nothing is consumed and nothing examined, so that the next
    /// read returns at once with the same bytes; true with null when the client closed before its first byte. On false, read again.
    /// </summary>
    public static bool TryDetect(PipeReader input, ReadResult result, out DetectedProtocol? protocol)
    {
        protocol = null;
        if (result.Buffer.IsEmpty)
        {
            input.AdvanceTo(result.Buffer.End);
            return result.IsCompleted;
        }

        var bytes = result.Buffer.FirstSpan;
        byte first = bytes[0];
        bool isProxyHeader = first is (byte)'P' or (byte)'\r' && ProxyHeaderParser.IsBeginning(bytes);
        input.AdvanceTo(result.Buffer.Start);
        protocol = first switch
        {
            0x05 => DetectedProtocol.Socks5,
            0x04 => DetectedProtocol.Socks4,
            _ when isProxyHeader => DetectedProtocol.ProxyHeader,
            _ when char.IsAsciiLetter((char)first) => DetectedProtocol.Http,

            // An empty line may stand in front of a request line (RFC 9112, section 2.2).
            (byte)'\r' => DetectedProtocol.Http,
            0x16 => DetectedProtocol.Tls,
            _ => DetectedProtocol.Unknown,
        };
        return true;
    }
}

/// <summary>What the first byte says.</summary>
internal enum DetectedProtocol : byte
{
    Unknown,
    Socks5,
    Socks4,
    Http,

    /// <summary>A TLS record: a client configured for an "https proxy"; recognised only to say so in the log.</summary>
    Tls,

    /// <summary>
    /// A header of the PROXY protocol from a peer that it is not taken from: recognised, when it comes in one piece, only to say so in
    /// the log.
    /// </summary>
    ProxyHeader,
}
