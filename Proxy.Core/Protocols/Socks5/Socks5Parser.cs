using System.Buffers;
using System.Net;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Socks5;

/// <summary>Which of the two methods that exist here a greeting offers.</summary>
internal readonly record struct Socks5Greeting(bool OffersNoAuth, bool OffersUserPassword);

/// <summary>A request or a reply: they share one frame. <see cref="Code"/> is CMD or REP.</summary>
/// <param name="Problem">With <see cref="Socks5AddressStatus.BadName"/>: why it is none.</param>
internal readonly record struct Socks5Message(byte Code, Socks5AddressStatus AddressStatus, HostEndPoint Address, string? Problem = null);

internal enum Socks5AddressStatus : byte
{
    Valid,

    /// <summary>A name that no host can have.</summary>
    BadName,

    /// <summary>ATYP other than 01, 03, 04; where the frame ends is unknown.</summary>
    UnknownType,

    /// <summary>ATYP 00, as tor sends with a failed RESOLVE; there is no address.</summary>
    Absent,
}

/// <summary>The frames of RFC 1928 and RFC 1929.</summary>
internal static class Socks5Parser
{
    // +----+----------+----------+
    // |VER | NMETHODS | METHODS  |     RFC 1928, section 3
    // +----+----------+----------+
    // | 1  |    1     | 1 to 255 |
    // +----+----------+----------+
    public static ParseStatus TryParseGreeting(ref SequenceReader<byte> reader, out Socks5Greeting greeting)
    {
        greeting = default;
        if (!reader.TryRead(out byte version))
            return ParseStatus.NeedMore;
        if (version != Socks5.Version)
            return ParseStatus.Invalid;
        if (!reader.TryRead(out byte count) || reader.Remaining < count)
            return ParseStatus.NeedMore;
        bool none = false, password = false;
        for (int i = 0; i < count; i++)
        {
            reader.TryRead(out byte method);
            none |= method == Socks5.MethodNoAuth;
            password |= method == Socks5.MethodUserPassword;
        }

        greeting = new Socks5Greeting(none, password);
        return ParseStatus.Done;
    }

    // +----+------+----------+------+----------+
    // |VER | ULEN |  UNAME   | PLEN |  PASSWD  |     RFC 1929, section 2
    // +----+------+----------+------+----------+
    // | 1  |  1   | 1 to 255 |  1   | 1 to 255 |     empty fields are taken too: tor and its users do so
    // +----+------+----------+------+----------+
    public static ParseStatus TryParseAuth(ref SequenceReader<byte> reader, out ClientCredentials? credentials)
    {
        credentials = null;
        if (!reader.TryRead(out byte version))
            return ParseStatus.NeedMore;

        // Old .NET clients sent 05 here.
        if (version is not (Socks5.AuthVersion or Socks5.Version))
            return ParseStatus.Invalid;
        if (!TryReadText(ref reader, out string user) || !TryReadText(ref reader, out string password))
            return ParseStatus.NeedMore;
        credentials = new ClientCredentials(user, password);
        return ParseStatus.Done;
    }

    // +----+-----+-------+------+----------+----------+
    // |VER | CMD |  RSV  | ATYP | DST.ADDR | DST.PORT |     RFC 1928, section 4; a reply (section 6) has REP for CMD
    // +----+-----+-------+------+----------+----------+
    // | 1  |  1  | X'00' |  1   | Variable |    2     |
    // +----+-----+-------+------+----------+----------+
    public static ParseStatus TryParseMessage(ref SequenceReader<byte> reader, out Socks5Message message)
    {
        message = default;
        if (!reader.TryRead(out byte version))
            return ParseStatus.NeedMore;
        if (version != Socks5.Version)
            return ParseStatus.Invalid;

        // RSV is not looked at: RFC 1928 gives a receiver nothing to do about it, and clients that set it exist.
        if (!reader.TryRead(out byte code) || !reader.TryRead(out _) || !reader.TryRead(out byte type))
            return ParseStatus.NeedMore;

        switch (type)
        {
            case Socks5.AddressIPv4:
            case Socks5.AddressIPv6:
                return TryParseAddress(ref reader, code, type == Socks5.AddressIPv4 ? 4 : 16, out message);
            case Socks5.AddressName:
                return TryParseName(ref reader, code, out message);
            default:
                message = new Socks5Message(code, type == 0 ? Socks5AddressStatus.Absent : Socks5AddressStatus.UnknownType, default);
                return ParseStatus.Done;
        }
    }

    private static ParseStatus TryParseAddress(ref SequenceReader<byte> reader, byte code, int length, out Socks5Message message)
    {
        message = default;
        Span<byte> bytes = stackalloc byte[16 + 2];
        bytes = bytes[..(length + 2)];
        if (!reader.TryCopyTo(bytes))
            return ParseStatus.NeedMore;
        reader.Advance(bytes.Length);
        message = new Socks5Message(
            code, Socks5AddressStatus.Valid,
            HostEndPoint.FromAddress(new IPAddress(bytes[..length]), (bytes[length] << 8) | bytes[length + 1]));
        return ParseStatus.Done;
    }

    private static ParseStatus TryParseName(ref SequenceReader<byte> reader, byte code, out Socks5Message message)
    {
        message = default;
        if (!TryReadText(ref reader, out string name) || !reader.TryRead(out byte high) || !reader.TryRead(out byte low))
            return ParseStatus.NeedMore;
        bool valid = HostEndPoint.TryCreate(name, (high << 8) | low, out var target, out string? problem);
        message = new Socks5Message(code, valid ? Socks5AddressStatus.Valid : Socks5AddressStatus.BadName, target, problem);
        return ParseStatus.Done;
    }

    private static bool TryReadText(ref SequenceReader<byte> reader, out string text)
    {
        text = "";
        if (!reader.TryRead(out byte length) || reader.Remaining < length)
            return false;
        Span<byte> bytes = stackalloc byte[length];
        reader.TryCopyTo(bytes);
        reader.Advance(length);
        text = Encoding.Latin1.GetString(bytes);
        return true;
    }
}
