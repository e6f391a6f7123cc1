using TorBalancer.Transport;

namespace TorBalancer.Protocols;

/// <summary>Tells by the first byte what a client speaks: 05, 04, or the letter of an HTTP method.</summary>
internal static class ProtocolDetector
{
    /// <summary>The protocol family, or null when the client closed before its first byte.</summary>
    public static async ValueTask<DetectedProtocol?> DetectAsync(TransportConnection client, CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await client.Input.ReadAsync(cancellationToken);
            if (!result.Buffer.IsEmpty)
            {
                byte first = result.Buffer.FirstSpan[0];

                // Nothing is consumed and nothing examined: the next read returns at once with the same bytes.
                client.Input.AdvanceTo(result.Buffer.Start);
                return first switch
                {
                    0x05 => DetectedProtocol.Socks5,
                    0x04 => DetectedProtocol.Socks4,
                    _ when char.IsAsciiLetter((char)first) => DetectedProtocol.Http,

                    // An empty line may stand in front of a request line (RFC 9112, section 2.2).
                    (byte)'\r' => DetectedProtocol.Http,
                    0x16 => DetectedProtocol.Tls,
                    _ => DetectedProtocol.Unknown,
                };
            }

            client.Input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
                return null;
        }
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
}
