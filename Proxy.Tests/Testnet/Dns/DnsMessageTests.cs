using System.Buffers.Binary;
using System.Net;
using System.Text;
using TorBalancer.Testnet.Dns;

namespace TorBalancer.Tests.Testnet.Dns;

public sealed class DnsMessageTests
{
    [Test]
    public void TryReadQuestion_query_with_edns_reads_name_type_and_its_bytes()
    {
        byte[] query = [.. Query("Origin.TEST", DnsType.A), 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0];

        Assert.That(DnsMessage.TryReadQuestion(query, out DnsQuestion question), Is.True);
        Assert.That(question.Name, Is.EqualTo("Origin.TEST"));
        Assert.That(question.Type, Is.EqualTo(DnsType.A));
        Assert.That(question.Section.ToArray(), Is.EqualTo(query[12..^11]));
    }

    [Test]
    public void TryReadQuestion_every_shortened_query_is_refused()
    {
        byte[] query = Query("origin.test", DnsType.Ptr);
        for (int length = 0; length < query.Length; length++)
            Assert.That(DnsMessage.TryReadQuestion(query.AsMemory(0, length), out _), Is.False, $"{length} bytes");
    }

    [TestCase(2, 0x80, TestName = "TryReadQuestion_response_is_refused")]
    [TestCase(2, 0x10, TestName = "TryReadQuestion_other_opcode_is_refused")]
    [TestCase(5, 2, TestName = "TryReadQuestion_two_questions_are_refused")]
    [TestCase(12, 0xC0, TestName = "TryReadQuestion_pointer_in_question_is_refused")]
    public void TryReadQuestion_changed_byte_is_refused(int at, byte value)
    {
        byte[] query = Query("origin.test", DnsType.A);
        query[at] = value;
        Assert.That(DnsMessage.TryReadQuestion(query, out _), Is.False);
    }

    [Test]
    public void WriteResponse_address_repeats_the_question_with_its_letter_case()
    {
        byte[] query = Query("oRiGiN.tEsT", DnsType.A);
        Assert.That(DnsMessage.TryReadQuestion(query, out DnsQuestion question), Is.True);
        byte[] output = new byte[512];

        int length = DnsMessage.WriteResponse(output, query, question, new DnsAnswer(DnsCode.NoError, IPAddress.Parse("127.0.31.2")), 60);

        byte[] expected =
        [
            0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, .. query[12..],
            0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 31, 2,
        ];
        Assert.That(output[..length], Is.EqualTo(expected));
    }

    [Test]
    public void WriteResponse_error_has_no_record()
    {
        byte[] query = Query("nx.test", DnsType.A);
        Assert.That(DnsMessage.TryReadQuestion(query, out DnsQuestion question), Is.True);
        byte[] output = new byte[512];

        int length = DnsMessage.WriteResponse(output, query, question, DnsAnswer.NoSuchName, 60);

        byte[] expected = [0x12, 0x34, 0x85, 0x83, 0, 1, 0, 0, 0, 0, 0, 0, .. query[12..]];
        Assert.That(output[..length], Is.EqualTo(expected));
    }

    /// <summary>A query with id 1234 (hex) and RD set.</summary>
    internal static byte[] Query(string name, DnsType type)
    {
        var message = new List<byte> { 0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (string label in name.Split('.'))
        {
            message.Add((byte)label.Length);
            message.AddRange(Encoding.ASCII.GetBytes(label));
        }

        byte[] end = [0, 0, 0, 0, 1];
        BinaryPrimitives.WriteUInt16BigEndian(end.AsSpan(1), (ushort)type);
        return [.. message, .. end];
    }
}
