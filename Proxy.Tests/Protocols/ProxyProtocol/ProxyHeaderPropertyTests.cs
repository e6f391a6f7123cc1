using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Text;
using CsCheck;
using TorBalancer.Protocols.ProxyProtocol;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.ProxyProtocol;

public class ProxyHeaderPropertyTests
{
    private static readonly Gen<(IPAddress, IPAddress)> Addresses = Gen.OneOf(
        Gen.Select(Properties.IPv4, Properties.IPv4), Gen.Select(Properties.IPv6, Properties.IPv6));

    [Test]
    public void Header_of_version_1_says_whose_it_is() =>
        Gen.Select(Addresses, Properties.Port, Properties.Port, Gen.Byte.Array[0, 20]).Holds(static one =>
        {
            var ((source, destination), from, to, behind) = one;
            string family = source.GetAddressBytes().Length == 4 ? "TCP4" : "TCP6";
            byte[] header = Encoding.ASCII.GetBytes($"PROXY {family} {source} {destination} {from} {to}\r\n");
            return Read(header, behind, source);
        });

    [Test]
    public void Header_of_version_2_says_whose_it_is() =>
        Gen.Select(Addresses, Gen.Byte.Array[4], Values, Gen.Byte.Array[0, 20]).Holds(static one =>
        {
            var ((source, destination), ports, values, behind) = one;
            byte[] block = [.. source.GetAddressBytes(), .. destination.GetAddressBytes(), .. ports, .. values.SelectMany(Value)];
            byte family = (byte)(source.GetAddressBytes().Length == 4 ? 0x11 : 0x21);
            byte[] header = [.. ProxyHeaderParser.Signature, 0x21, family, 0, 0, .. block];
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(14), (ushort)block.Length);
            return Read(header, behind, source);
        });

    /// <summary>TLVs but for the checksum (type 3).</summary>
    private static Gen<(byte Type, byte[] Value)[]> Values =>
        Gen.Select(Gen.Byte.Where(static type => type != 3), Gen.Byte.Array[0, 30]).Array[0, 4];

    private static bool Read(byte[] header, byte[] behind, IPAddress source)
    {
        byte[] all = [.. header, .. behind];
        bool isWhole = ProxyHeaderParser.Parse(new ReadOnlySequence<byte>(all), out var read, out _) == ProxyHeaderState.Complete;
        var expected = source.IsIPv4MappedToIPv6 ? source.MapToIPv4() : source;
        return isWhole && read.Length == header.Length && expected.Equals(read.Source)
            && Enumerable.Range(0, header.Length).All(length =>
                ProxyHeaderParser.Parse(new ReadOnlySequence<byte>(all, 0, length), out _, out _) == ProxyHeaderState.Incomplete);
    }

    private static byte[] Value((byte Type, byte[] Value) one) => [one.Type, 0, (byte)one.Value.Length, .. one.Value];
}
