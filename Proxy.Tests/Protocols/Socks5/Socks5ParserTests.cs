using System.Buffers;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks4;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Socks5;

public class Socks5ParserTests
{
    private static readonly Random Seeded = new(20261120);

    public static IEnumerable<byte[]> Requests()
    {
        yield return SocksClient.Request("example.com", 80);
        yield return SocksClient.Request("1.2.3.4", 65535);
        yield return SocksClient.Request("2001:db8::1", 1);
        yield return SocksClient.Request(new string('a', 255), 443, 0xF0);
        yield return SocksClient.Request("x", 42, 0xF1);
    }

    [TestCaseSource(nameof(Requests))]
    public void Message_split_at_every_byte_parses_the_same_and_leaves_what_is_behind(byte[] message)
    {
        byte[] withRest = [.. message, 0xAA, 0xBB];
        var (status, whole, consumed) = Parse<Socks5Message>(withRest, withRest.Length, Socks5Parser.TryParseMessage);
        Assert.That(status, Is.EqualTo(ParseStatus.Done));
        Assert.That(consumed, Is.EqualTo(message.Length));
        for (int split = 0; split <= message.Length; split++)
        {
            var (prefixStatus, _, _) = Parse<Socks5Message>(message[..split], split, Socks5Parser.TryParseMessage);
            Assert.That(prefixStatus, Is.EqualTo(split == message.Length ? ParseStatus.Done : ParseStatus.NeedMore), $"prefix of {split}");
            var (splitStatus, parsed, splitConsumed) = Parse<Socks5Message>(withRest, split, Socks5Parser.TryParseMessage);
            Assert.That((splitStatus, parsed, splitConsumed), Is.EqualTo((ParseStatus.Done, whole, consumed)), $"split at {split}");
        }
    }

    [Test]
    public void Auth_split_at_every_byte_parses_the_same()
    {
        foreach (var (user, password) in new[] { ("u", "p"), ("", ""), (new string('é', 255), new string('x', 255)) })
        {
            byte[] message = SocksClient.Auth(user, password);
            for (int split = 0; split < message.Length; split++)
            {
                Assert.That(
                    Parse<ClientCredentials?>(message[..split], split, Socks5Parser.TryParseAuth).Status, Is.EqualTo(ParseStatus.NeedMore));
                Assert.That(
                    Parse<ClientCredentials?>(message, split, Socks5Parser.TryParseAuth).Message,
                    Is.EqualTo(new ClientCredentials(user, password)));
            }
        }
    }

    [Test]
    public void Auth_of_old_dotnet_clients_with_version_5_is_taken() =>
        Assert.That(
            Parse<ClientCredentials?>([5, 1, (byte)'u', 1, (byte)'p'], 5, Socks5Parser.TryParseAuth).Status, Is.EqualTo(ParseStatus.Done));

    [TestCase(new byte[] { 5, 2, 0, 1 }, true, false)]
    [TestCase(new byte[] { 5, 3, 0, 1, 2 }, true, true)]
    [TestCase(new byte[] { 5, 1, 2 }, false, true)]
    [TestCase(new byte[] { 5, 0 }, false, false)]
    public void Greeting_offers_are_read(byte[] bytes, bool none, bool password)
    {
        var (status, greeting, consumed) = Parse<Socks5Greeting>(bytes, bytes.Length, Socks5Parser.TryParseGreeting);
        Assert.That((status, greeting, consumed), Is.EqualTo((ParseStatus.Done, new Socks5Greeting(none, password), bytes.Length)));
    }

    [Test]
    public void Reply_of_a_unix_socks_port_with_atyp_4_and_of_a_failed_resolve_with_atyp_0_are_read()
    {
        byte[] unix = [5, 0, 0, 4, .. new byte[16], 0, 0];
        Assert.That(Parse<Socks5Message>(unix, 3, Socks5Parser.TryParseMessage).Consumed, Is.EqualTo(22));
        var (status, message, _) = Parse<Socks5Message>([5, 4, 0, 0, 0, 0], 6, Socks5Parser.TryParseMessage);
        Assert.That((status, message.Code, message.AddressStatus), Is.EqualTo((ParseStatus.Done, (byte)4, Socks5AddressStatus.Absent)));
    }

    [Test]
    public void A_literal_sent_as_a_name_is_a_literal()
    {
        byte[] frame = [5, 1, 0, 3, 13, .. "93.184.216.34"u8, 0, 80];
        Assert.That(
            Parse<Socks5Message>(frame, 9, Socks5Parser.TryParseMessage).Message.Address.Address,
            Is.EqualTo(System.Net.IPAddress.Parse("93.184.216.34")));
    }

    [Test]
    public void Writer_and_parser_agree()
    {
        foreach (string host in new[] { "example.com", "1.2.3.4", "2001:db8::7", new string('z', 63) + ".example" })
        {
            Assert.That(HostEndPoint.TryCreate(host, 8080, out var target), Is.True);
            var frame = new byte[Socks5Writer.MaxMessageLength];
            int length = Socks5Writer.WriteMessage(frame, 1, target);
            var (status, message, consumed) = Parse<Socks5Message>(frame[..length], 1, Socks5Parser.TryParseMessage);
            Assert.That((status, message.Address, consumed), Is.EqualTo((ParseStatus.Done, target, length)));
        }
    }

    [Test]
    public void Ten_thousand_random_and_mutated_inputs_never_throw_and_never_read_past_the_end()
    {
        var seeds = Requests()
            .Append([5, 3, 0, 1, 2])
            .Append(SocksClient.Auth("user", "password"))
            .Append([4, 1, 0, 80, 0, 0, 0, 1, .. "me\0example.com\0"u8])
            .ToList();
        for (int i = 0; i < 10_000; i++)
        {
            byte[] input = [.. seeds[Seeded.Next(seeds.Count)]];
            for (int k = Seeded.Next(4); k > 0; k--)
                input[Seeded.Next(input.Length)] = (byte)Seeded.Next(256);
            if (i % 3 == 0)
                Seeded.NextBytes(input);
            input = input[..Seeded.Next(input.Length + 1)];
            int split = Seeded.Next(input.Length + 1);
            Assert.That(Parse<Socks5Greeting>(input, split, Socks5Parser.TryParseGreeting).Consumed, Is.LessThanOrEqualTo(input.Length));
            Assert.That(Parse<ClientCredentials?>(input, split, Socks5Parser.TryParseAuth).Consumed, Is.LessThanOrEqualTo(input.Length));
            Assert.That(Parse<Socks5Message>(input, split, Socks5Parser.TryParseMessage).Consumed, Is.LessThanOrEqualTo(input.Length));
            Assert.That(Parse<Socks4Request>(input, split, Socks4Parser.TryParseRequest).Consumed, Is.LessThanOrEqualTo(input.Length));
        }
    }

    internal static (ParseStatus Status, T Message, long Consumed) Parse<T>(byte[] bytes, int split, MessageParser<T> parser)
    {
        var sequence = SequenceOf.Two(bytes, split);
        var reader = new SequenceReader<byte>(sequence);
        var status = parser(ref reader, out var message);
        return (status, message, reader.Consumed);
    }
}
