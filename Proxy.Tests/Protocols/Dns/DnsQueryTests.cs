using System.Net;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Dns;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Dns;

public class DnsQueryTests
{
    [Test]
    public void Read_takes_one_question_and_what_EDNS_says()
    {
        byte[] message = DnsProbe.Query("WWW.Example.org", DnsProbe.Aaaa, edns: 4096);
        message[3] = 0x10;

        var query = DnsQuery.Read(message, out var problem)!;

        Assert.That(problem, Is.EqualTo(DnsCode.NoError));
        Assert.That(
            (query.Id, query.Name, query.Type, query.Class, query.PacketSize, query.WantsRecursion, query.DisablesChecks),
            Is.EqualTo(((ushort)0x1234, "WWW.Example.org", DnsType.Aaaa, DnsFormat.ClassIn, 4096, true, true)));
        Assert.That(query.Question.ToArray(), Is.EqualTo(message[12..^11]));
    }

    [Test]
    public void Read_of_every_part_of_a_message_is_no_query_or_a_malformed_one()
    {
        byte[] message = DnsProbe.Query("www.example.org", DnsProbe.A, edns: 1232);
        for (int length = 0; length < message.Length; length++)
        {
            var query = DnsQuery.Read(message.AsMemory(0, length), out var problem);
            Assert.That(query is null, Is.EqualTo(length < 12), $"{length} bytes");
            Assert.That(problem, Is.EqualTo(DnsCode.FormatError), $"{length} bytes");
        }
    }

    [Test]
    public void Read_survives_every_wrong_byte()
    {
        byte[] message = DnsProbe.Query("www.example.org", DnsProbe.A, edns: 1232);
        byte[] output = new byte[DnsAnswer.MaxLength];
        for (int i = 0; i < message.Length; i++)
        {
            for (int value = 0; value < 256; value++)
            {
                byte[] wrong = [.. message];
                wrong[i] = (byte)value;
                if (DnsQuery.Read(wrong, out var problem) is { } query)
                    Assert.That(new DnsAnswer(problem).Write(output, query, 512), Is.InRange(12, 512));
            }
        }
    }

    [Test]
    public void Read_never_takes_an_answer_for_a_query()
    {
        byte[] message = DnsProbe.Query("a.test", DnsProbe.A);
        message[2] |= 0x80;
        Assert.That(DnsQuery.Read(message, out _), Is.Null);
    }

    [TestCase(4, (byte)0, 1, Description = "no question")]
    [TestCase(5, (byte)2, 1, Description = "two")]
    [TestCase(7, (byte)1, 1, Description = "an answer in a query")]
    [TestCase(2, (byte)0x28, 4, Description = "UPDATE")]
    [TestCase(12, (byte)0xC0, 1, Description = "a pointer where there is nothing to point to")]
    [TestCase(12, (byte)64, 1, Description = "a label that is too long")]
    public void Read_says_what_cannot_be_served(int at, byte value, int expected)
    {
        byte[] message = DnsProbe.Query("a.test", DnsProbe.A);
        message[at] = value;
        if (at == 4)
            message[5] = 0;
        Assert.That(DnsQuery.Read(message, out var problem), Is.Not.Null);
        Assert.That((int)problem, Is.EqualTo(expected));
    }

    [Test]
    public void Read_takes_no_name_of_more_than_255_octets()
    {
        string label = new('a', 63);
        string longest = $"{label}.{label}.{label}.{new string('a', 61)}";
        Assert.That(DnsQuery.Read(DnsProbe.Query(longest, DnsProbe.A), out var problem)!.Name, Is.EqualTo(longest));
        Assert.That(problem, Is.EqualTo(DnsCode.NoError));
        DnsQuery.Read(DnsProbe.Query(longest + "a", DnsProbe.A), out problem);
        Assert.That(problem, Is.EqualTo(DnsCode.FormatError));
    }

    [TestCase("a b.test")]
    [TestCase("caf\u00e9.test")]
    [TestCase("a\0.test")]
    public void Read_has_no_name_for_labels_with_other_signs(string name)
    {
        Assert.That(DnsQuery.Read(DnsProbe.Query(name, DnsProbe.A), out var problem)!.Name, Is.Null);
        Assert.That(problem, Is.EqualTo(DnsCode.NoError));
    }

    [Test]
    public void Read_has_no_name_for_a_label_with_a_dot_in_it()
    {
        byte[] message = DnsProbe.Query("axtest.test", DnsProbe.A);
        message[14] = (byte)'.';
        Assert.That(DnsQuery.Read(message, out _)!.Name, Is.Null);
    }

    [Test]
    public void Write_cuts_what_does_not_fit_and_says_so()
    {
        string label = new('a', 63), name = $"{label}.{label}.{label}.{new string('b', 61)}";
        Assert.That(HostEndPoint.TryCreate(name, 0, out var value), Is.True);
        byte[] message = DnsProbe.Query(name, DnsProbe.Ptr);
        var query = DnsQuery.Read(message, out _)!;
        byte[] output = new byte[DnsAnswer.MaxLength];

        int length = new DnsAnswer(DnsCode.NoError, value, TimeSpan.FromSeconds(60)).Write(output, query, query.PacketSize);
        var cut = DnsProbe.Parse(output.AsSpan(0, length), message);
        Assert.That((cut.IsCut, cut.Records, cut.Length), Is.EqualTo((true, 0, message.Length)));

        length = new DnsAnswer(DnsCode.NoError, value, TimeSpan.FromSeconds(60)).Write(output, query, ushort.MaxValue);
        var whole = DnsProbe.Parse(output.AsSpan(0, length), message);
        Assert.That((whole.IsCut, whole.Records, whole.Data.Length, whole.TimeToLive), Is.EqualTo((false, 1, 255, 60)));
    }

    [Test]
    public void Write_of_a_wrong_EDNS_version_says_which_is_spoken()
    {
        byte[] message = DnsProbe.Query("a.test", DnsProbe.A, edns: 512, ednsVersion: 1);
        var query = DnsQuery.Read(message, out var problem)!;
        Assert.That(problem, Is.EqualTo(DnsCode.BadVersion));
        byte[] output = new byte[DnsAnswer.MaxLength];
        Assert.That(DnsProbe.Parse(output.AsSpan(0, new DnsAnswer(problem).Write(output, query, 512)), message).Code, Is.EqualTo(16));
    }

    [TestCase("4.3.2.1.in-addr.arpa", "1.2.3.4")]
    [TestCase("4.3.2.1.IN-ADDR.ARPA", "1.2.3.4")]
    [TestCase("3.2.1.in-addr.arpa", null)]
    [TestCase("5.4.3.2.1.in-addr.arpa", null)]
    [TestCase("04.3.2.1.in-addr.arpa", null)]
    [TestCase("256.3.2.1.in-addr.arpa", null)]
    [TestCase(".3.2.1.in-addr.arpa", null)]
    [TestCase("example.org", null)]
    [TestCase("b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::567:89ab")]
    [TestCase("a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", null)]
    [TestCase("g.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", null)]
    public void Reverse_names_are_addresses(string name, string? expected) =>
        Assert.That(ReverseName.Parse(name), Is.EqualTo(expected is null ? null : IPAddress.Parse(expected)));
}
