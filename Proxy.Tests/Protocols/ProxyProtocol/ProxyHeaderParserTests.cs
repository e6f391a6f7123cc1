using System.Buffers;
using System.Text;
using TorBalancer.Protocols.ProxyProtocol;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.ProxyProtocol;

public class ProxyHeaderParserTests
{
    private static readonly byte[] Behind = [5, 1, 0];

    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7")]
    [TestCase("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255")]
    [TestCase("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0")]
    [TestCase("PROXY TCP6 2001:db8::7 ::1 56324 443\r\n", "2001:db8::7")]
    [TestCase("PROXY TCP6 ::ffff:192.0.2.7 ::1 56324 443\r\n", "192.0.2.7")]
    [TestCase(
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [TestCase("PROXY UNKNOWN\r\n", null)]
    [TestCase("PROXY UNKNOWN ffff::1 whatever 1\r\n", null)]
    [TestCase(
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", null)]
    public void Text_header_is_read_however_it_is_cut(string text, string? source) =>
        IsRead(Encoding.ASCII.GetBytes(text), source);

    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n", "has a line that does not end with CRLF")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r443\r\n", "has a line that does not end with CRLF")]
    [TestCase("PROXY TCP5 192.0.2.7 198.51.100.1 56324 443\r\n", "names neither TCP4 nor TCP6 nor UNKNOWN")]
    [TestCase("PROXY tcp4 192.0.2.7 198.51.100.1 56324 443\r\n", "names neither TCP4 nor TCP6 nor UNKNOWN")]
    [TestCase("PROXY UNKNOWNS\r\n", "names neither TCP4 nor TCP6 nor UNKNOWN")]
    [TestCase("PROXY \r\n", "names neither TCP4 nor TCP6 nor UNKNOWN")]
    [TestCase("PROXY  TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "names neither TCP4 nor TCP6 nor UNKNOWN")]
    [TestCase("PROXY TCP4  192.0.2.7 198.51.100.1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.07 198.51.100.1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2 198.51.100.1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.7.1 198.51.100.1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.+7 198.51.100.1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 0x7f000001 198.51.100.1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.7 example.com 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.7\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 ::1 ::1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP6 192.0.2.7 192.0.2.7 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP6 [::1] ::1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP6 ::1/64 ::1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP6 1::2::3 ::1 56324 443\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1\r\n", "has a wrong address")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n", "has a wrong port")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", "has a wrong port")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 0443\r\n", "has a wrong port")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n", "has a wrong port")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 \r\n", "has a wrong port")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 9\r\n", "has a wrong port")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.1 56324 \r\n", "has a wrong port")]
    public void Text_header_that_is_wrong_is_refused(string text, string problem) => IsRefused(Encoding.ASCII.GetBytes(text), problem);

    [Test]
    public void Text_header_ends_within_107_bytes()
    {
        byte[] longest = Encoding.ASCII.GetBytes("PROXY UNKNOWN " + new string('x', 91) + "\r\n");
        Assert.That(longest, Has.Length.EqualTo(ProxyHeaderParser.MaxTextLength));
        IsRead(longest, null);
        IsRefused(Encoding.ASCII.GetBytes("PROXY UNKNOWN " + new string('x', 92) + "\r\n"), "has no end of line within 107 bytes");
        IsRefused(Encoding.ASCII.GetBytes("PROXY UNKNOWN " + new string('x', 500)), "has no end of line within 107 bytes");
    }

    [TestCase("GET / HTTP/1.1\r\n")]
    [TestCase("PUT / HTTP/1.1\r\n")]
    [TestCase("PROX")]
    [TestCase("PROXYTCP4")]
    [TestCase("proxy TCP4")]
    [TestCase("\u0005\u0001\0")]
    [TestCase("\r\nGET / HTTP/1.1\r\n")]
    [TestCase("\r\n\r\n\0\r\nQUIX")]
    public void What_is_no_header_is_known_at_its_first_other_byte(string text)
    {
        byte[] bytes = [.. Encoding.Latin1.GetBytes(text), 0];
        var states = Enumerable.Range(1, bytes.Length).Select(length => Parse(bytes[..length]).State).ToList();

        Assert.That(states[^1], Is.EqualTo(ProxyHeaderState.Missing));
        Assert.That(states.Distinct(), Is.EqualTo(states.Order().Distinct()), "it never becomes a header again");
    }

    private static IEnumerable<TestCaseData> Binaries()
    {
        TestCaseData Case(string name, byte[] header, string? source) =>
            new TestCaseData(header, source).SetArgDisplayNames(name);
        yield return Case("TCP4", ProxyHeaders.Binary("192.0.2.7"), "192.0.2.7");
        yield return Case("TCP6", ProxyHeaders.Binary("2001:db8::7"), "2001:db8::7");
        yield return Case("TCP6 mapped", ProxyHeaders.Binary("::ffff:192.0.2.7"), "192.0.2.7");
        yield return Case("LOCAL", ProxyHeaders.Binary(0x20, 0, []), null);
        yield return Case("LOCAL with what it does not need", ProxyHeaders.Binary(0x20, 0xFF, [1, 2, 3]), null);
        yield return Case("UNSPEC", ProxyHeaders.Binary(0x21, 0, []), null);
        yield return Case("UNSPEC with what nobody knows", ProxyHeaders.Binary(0x21, 0, [1, 2, 3]), null);
        yield return Case("UDP4", ProxyHeaders.Binary(0x21, 0x12, new byte[12]), null);
        yield return Case("UDP6", ProxyHeaders.Binary(0x21, 0x22, new byte[36]), null);
        yield return Case("UNIX", ProxyHeaders.Binary(0x21, 0x31, new byte[216]), null);
        yield return Case("UNIX datagrams", ProxyHeaders.Binary(0x21, 0x32, new byte[216]), null);
        byte[] padding = ProxyHeaders.Value(4), name = ProxyHeaders.Value(2, [.. "example.com"u8]), crc = ProxyHeaders.Value(3, 0, 0, 0, 0);
        yield return Case("TLVs", ProxyHeaders.Binary("192.0.2.7", [.. padding, .. name, .. padding]), "192.0.2.7");
        yield return Case("checksum", ProxyHeaders.Sealed(ProxyHeaders.Binary("192.0.2.7", [.. name, .. crc])), "192.0.2.7");
        yield return Case("checksum of UNIX", ProxyHeaders.Sealed(ProxyHeaders.Binary(0x21, 0x31, [.. new byte[216], .. crc])), null);
        int most = ProxyHeaderParser.MaxBlockLength - 12 - 3;
        yield return Case("longest", ProxyHeaders.Binary("192.0.2.7", ProxyHeaders.Value(4, new byte[most])), "192.0.2.7");
    }

    [TestCaseSource(nameof(Binaries))]
    public void Binary_header_is_read_however_it_is_cut(byte[] header, string? source) => IsRead(header, source);

    private static IEnumerable<TestCaseData> WrongBinaries()
    {
        TestCaseData Case(string problem, byte[] header) => new TestCaseData(header, problem).SetArgDisplayNames(problem);
        yield return Case("is of another version than 1 or 2", ProxyHeaders.Binary(0x11, 0x11, new byte[12]));
        yield return Case("is of another version than 1 or 2", ProxyHeaders.Binary(0x31, 0x11, new byte[12]));
        yield return Case("has a command that is neither LOCAL nor PROXY", ProxyHeaders.Binary(0x22, 0x11, new byte[12]));
        yield return Case("has an unknown address family", ProxyHeaders.Binary(0x21, 0x13, new byte[12]));
        yield return Case("has an unknown address family", ProxyHeaders.Binary(0x21, 0x10, new byte[12]));
        yield return Case("has an unknown address family", ProxyHeaders.Binary(0x21, 0x41, new byte[12]));
        yield return Case("is too short for its addresses", ProxyHeaders.Binary(0x21, 0x11, new byte[11]));
        yield return Case("is too short for its addresses", ProxyHeaders.Binary(0x21, 0x21, new byte[12]));
        yield return Case("is too short for its addresses", ProxyHeaders.Binary(0x21, 0x31, new byte[215]));
        yield return Case("is longer than 16 KiB", ProxyHeaders.Binary(0x21, 0x11, new byte[ProxyHeaderParser.MaxBlockLength + 1]));
        yield return Case("is longer than 16 KiB", ProxyHeaders.Binary(0x20, 0, new byte[ProxyHeaderParser.MaxBlockLength + 1]));
        yield return Case("has a TLV that is cut", ProxyHeaders.Binary("192.0.2.7", 4, 0));
        yield return Case("has a TLV that is longer than the header", ProxyHeaders.Binary("192.0.2.7", 4, 0, 2, 1));
        yield return Case("has a TLV that is longer than the header", ProxyHeaders.Binary("192.0.2.7", 3, 0, 4, 1, 2, 3));
        yield return Case("has a checksum that is not four bytes long", ProxyHeaders.Binary("192.0.2.7", 3, 0, 2, 1, 2));
        yield return Case("has a wrong checksum", ProxyHeaders.Binary("192.0.2.7", 3, 0, 4, 1, 2, 3, 4));
        byte[] changed = ProxyHeaders.Sealed(ProxyHeaders.Binary("192.0.2.7", 3, 0, 4, 0, 0, 0, 0));
        changed[16] ^= 1;
        yield return Case("has a wrong checksum", changed);
    }

    [TestCaseSource(nameof(WrongBinaries))]
    public void Binary_header_that_is_wrong_is_refused(byte[] header, string problem) => IsRefused(header, problem);

    private static void IsRead(byte[] header, string? source)
    {
        byte[] bytes = [.. header, .. Behind];
        for (int length = 0; length < header.Length; length++)
            Assert.That(Parse(bytes[..length]).State, Is.EqualTo(ProxyHeaderState.Incomplete), $"{length} bytes of it");
        for (int split = 0; split <= Math.Min(bytes.Length, 300); split++)
        {
            var state = ProxyHeaderParser.Parse(SequenceOf.Two(bytes, split), out var read, out string? problem);
            Assert.That(
                (state, read.Length, read.Source?.ToString(), problem),
                Is.EqualTo((ProxyHeaderState.Complete, header.Length, source, (string?)null)), $"split at {split}");
        }
    }

    /// <summary>Sooner or later, and from then on.</summary>
    private static void IsRefused(byte[] header, string problem)
    {
        var (state, said) = Parse([.. header, .. Behind]);
        Assert.That((state, said), Is.EqualTo((ProxyHeaderState.Invalid, problem)));
        var states = Enumerable.Range(0, header.Length + 1).Select(length => Parse(header[..length]).State).ToList();
        Assert.That(states, Does.Not.Contain(ProxyHeaderState.Complete));
        int first = states.IndexOf(ProxyHeaderState.Invalid);
        Assert.That(states.Skip(Math.Max(first, 0)).Distinct().Count(), Is.EqualTo(1));
    }

    private static (ProxyHeaderState State, string? Problem) Parse(byte[] bytes) =>
        (ProxyHeaderParser.Parse(new ReadOnlySequence<byte>(bytes), out _, out string? problem), problem);
}
