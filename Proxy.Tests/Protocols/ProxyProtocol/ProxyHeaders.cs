using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace TorBalancer.Tests.Protocols.ProxyProtocol;

/// <summary>Headers of the PROXY protocol as balancers send them.</summary>
internal static class ProxyHeaders
{
    private static readonly byte[] Signature = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    /// <summary>Of version 1, for a client with this address.</summary>
    public static byte[] Text(string client) => Encoding.ASCII.GetBytes(
        client.Contains(':', StringComparison.Ordinal) ? $"PROXY TCP6 {client} ::1 40000 1080\r\n"
            : $"PROXY TCP4 {client} 127.0.0.1 40000 1080\r\n");

    /// <summary>Of version 2, for a client with this address.</summary>
    public static byte[] Binary(string client, params byte[] values)
    {
        byte[] address = IPAddress.Parse(client).GetAddressBytes();
        return Binary(0x21, (byte)(address.Length == 4 ? 0x11 : 0x21), [.. address, .. address, 0x9C, 0x40, 0x04, 0x38, .. values]);
    }

    public static byte[] Binary(byte command, byte family, byte[] block) =>
        [.. Signature, command, family, (byte)(block.Length >> 8), (byte)block.Length, .. block];

    public static byte[] Value(byte type, params byte[] value) => [type, (byte)(value.Length >> 8), (byte)value.Length, .. value];

    /// <summary>The same with its checksum in the last four bytes, which have to be those of that TLV.</summary>
    public static byte[] Sealed(byte[] header)
    {
        byte[] whole = [.. header];
        whole.AsSpan(^4).Clear();
        uint crc = uint.MaxValue;
        foreach (byte one in whole)
        {
            // Bit by bit (RFC 3720, appendix B.4), unlike the product.
            crc ^= one;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }

        BinaryPrimitives.WriteUInt32BigEndian(whole.AsSpan(^4), ~crc);
        return whole;
    }
}
