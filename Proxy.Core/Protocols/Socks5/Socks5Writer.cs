using System.Net.Sockets;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Socks5;

/// <summary>Writes the frames of RFC 1928 and RFC 1929.</summary>
internal static class Socks5Writer
{
    /// <summary>The longest request or reply: four octets, a name of 255 with its length, a port.</summary>
    public const int MaxMessageLength = 4 + 1 + 255 + 2;

    /// <summary>VER, CMD or REP, RSV, ATYP, address, port. A name goes as a name, a literal as an address.</summary>
    public static int WriteMessage(Span<byte> output, byte code, HostEndPoint address)
    {
        output[0] = Socks5.Version;
        output[1] = code;
        output[2] = 0;
        int length;
        if (address.Address is { } literal)
        {
            output[3] = literal.AddressFamily == AddressFamily.InterNetworkV6 ? Socks5.AddressIPv6 : Socks5.AddressIPv4;
            literal.TryWriteBytes(output[4..], out int written);
            length = 4 + written;
        }
        else
        {
            output[3] = Socks5.AddressName;
            int written = Encoding.Latin1.GetBytes(address.Host, output[5..]);
            output[4] = (byte)written;
            length = 5 + written;
        }

        output[length] = (byte)(address.Port >> 8);
        output[length + 1] = (byte)address.Port;
        return length + 2;
    }

    /// <summary>
    /// A reply without an address. Always the full ten octets with ATYP 1: curl loses the code of a shorter one, and
    /// every client knows ATYP 1.
    /// </summary>
    public static byte[] Reply(byte code) => [Socks5.Version, code, 0, Socks5.AddressIPv4, 0, 0, 0, 0, 0, 0];

    /// <summary>VER, ULEN, UNAME, PLEN, PASSWD.</summary>
    public static int WriteAuth(Span<byte> output, ReadOnlySpan<byte> user, ReadOnlySpan<byte> password)
    {
        output[0] = Socks5.AuthVersion;
        output[1] = (byte)user.Length;
        user.CopyTo(output[2..]);
        output[2 + user.Length] = (byte)password.Length;
        password.CopyTo(output[(3 + user.Length)..]);
        return 3 + user.Length + password.Length;
    }
}
