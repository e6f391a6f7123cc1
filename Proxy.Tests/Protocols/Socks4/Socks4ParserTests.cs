using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks4;
using TorBalancer.Tests.Protocols.Socks5;

namespace TorBalancer.Tests.Protocols.Socks4;

public class Socks4ParserTests
{
    [Test]
    public void Socks4_request_split_at_every_byte()
    {
        byte[] message = [4, 1, 0x1F, 0x90, 93, 184, 216, 34, .. "user\0"u8];
        AssertSplits(message, "93.184.216.34:8080", "user", socks4a: false);
    }

    [Test]
    public void Socks4a_request_split_at_every_byte()
    {
        byte[] message = [4, 1, 0, 80, 0, 0, 0, 7, .. "\0example.com\0"u8];
        AssertSplits(message, "example.com:80", "", socks4a: true);
    }

    [Test]
    public void A_user_id_without_an_end_is_refused_at_256_octets()
    {
        byte[] endless = [4, 1, 0, 80, 1, 2, 3, 4, .. Enumerable.Repeat((byte)'a', 256)];
        Assert.That(
            Socks5ParserTests.Parse<Socks4Request>(endless, 10, Socks4Parser.TryParseRequest).Status, Is.EqualTo(ParseStatus.Invalid));
        Assert.That(
            Socks5ParserTests.Parse<Socks4Request>(endless[..^1], 10, Socks4Parser.TryParseRequest).Status,
            Is.EqualTo(ParseStatus.NeedMore));
    }

    [Test]
    public void A_name_that_is_none_has_no_target()
    {
        byte[] message = [4, 1, 0, 80, 0, 0, 0, 7, .. "\0a b\0"u8];
        Assert.That(Socks5ParserTests.Parse<Socks4Request>(message, 0, Socks4Parser.TryParseRequest).Message.Target, Is.Null);
    }

    private static void AssertSplits(byte[] message, string target, string user, bool socks4a)
    {
        for (int split = 0; split < message.Length; split++)
        {
            Assert.That(
                Socks5ParserTests.Parse<Socks4Request>(message[..split], 0, Socks4Parser.TryParseRequest).Status,
                Is.EqualTo(ParseStatus.NeedMore));
            var (status, request, consumed) = Socks5ParserTests.Parse<Socks4Request>([.. message, 9], split, Socks4Parser.TryParseRequest);
            Assert.That((status, consumed), Is.EqualTo((ParseStatus.Done, (long)message.Length)));
            Assert.That((request.Target.ToString(), request.UserId, request.IsSocks4a), Is.EqualTo((target, user, socks4a)));
        }
    }
}
