using System.Buffers;
using System.Net;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Socks4;

/// <summary>
/// A SOCKS4 or 4a request. <see cref="Target"/> is null when the name is no host name, and <see cref="Problem"/> says why.
/// </summary>
internal readonly record struct Socks4Request(byte Command, bool IsSocks4a, HostEndPoint? Target, string UserId, string? Problem = null);

/// <summary>The SOCKS4 frame (SOCKS.protocol) and its 4a extension (socks4a.protocol).</summary>
internal static class Socks4Parser
{
    public const byte Version = 0x04;

    // +----+----+----+----+----+----+----+----+----+----+....+----+
    // | VN | CD | DSTPORT |      DSTIP        | USERID       |NULL|     4a: DSTIP is 0.0.0.x with x != 0, and the name
    // +----+----+----+----+----+----+----+----+----+----+....+----+     follows, ended by another NULL
    //    1    1      2              4           variable       1
    public static ParseStatus TryParseRequest(ref SequenceReader<byte> reader, out Socks4Request request)
    {
        request = default;
        if (!reader.TryRead(out byte version))
            return ParseStatus.NeedMore;
        if (version != Version)
            return ParseStatus.Invalid;
        Span<byte> head = stackalloc byte[7];
        if (!reader.TryCopyTo(head))
            return ParseStatus.NeedMore;
        reader.Advance(head.Length);
        byte command = head[0];
        int port = (head[1] << 8) | head[2];
        var ip = head[3..];

        var status = TryReadText(ref reader, out string userId);
        if (status != ParseStatus.Done)
            return status;
        bool named = ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0;
        if (!named)
        {
            request = new Socks4Request(command, false, HostEndPoint.FromAddress(new IPAddress(ip), port), userId);
            return ParseStatus.Done;
        }

        status = TryReadText(ref reader, out string name);
        if (status != ParseStatus.Done)
            return status;
        request = new Socks4Request(
            command, true, HostEndPoint.TryCreate(name, port, out var target, out string? problem) ? target : null, userId, problem);
        return ParseStatus.Done;
    }

    /// <summary>A text up to NUL. SOCKS4 sets no bound; 255 octets is what SOCKS5 carries.</summary>
    private static ParseStatus TryReadText(ref SequenceReader<byte> reader, out string text)
    {
        text = "";
        if (!reader.TryReadTo(out ReadOnlySequence<byte> bytes, 0))
            return reader.Remaining > HostEndPoint.MaxHostLength ? ParseStatus.Invalid : ParseStatus.NeedMore;
        if (bytes.Length > HostEndPoint.MaxHostLength)
            return ParseStatus.Invalid;
        text = Encoding.Latin1.GetString(bytes);
        return ParseStatus.Done;
    }
}
