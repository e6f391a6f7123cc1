using System.Buffers.Binary;
using System.Net.Security;
using System.Text;
using TorBalancer.Protocols;

namespace TorBalancer.Tests.Protocols;

public class NameSnifferTests
{
    [Test, CancelAfter(30_000)]
    public async Task Find_takes_the_name_of_a_real_ClientHello_whole_and_in_pieces(CancellationToken token)
    {
        byte[] hello = await ClientHelloAsync("www.Example.org", token);

        Assert.That(Name(hello), Is.EqualTo("www.example.org"));
        Assert.That(Name([.. hello, 1, 2, 3]), Is.EqualTo("www.example.org"), "and what comes behind it");
        for (int length = 1; length < hello.Length; length++)
            Assert.That(NameSniffer.Find(hello.AsSpan(0, length), out _), Is.EqualTo(SniffState.More), $"{length} of {hello.Length} bytes");
        Assert.That(Name(InRecordsOf(hello, 7)), Is.EqualTo("www.example.org"), "in many records");
    }

    [Test, CancelAfter(30_000)]
    public async Task Find_says_nothing_of_a_ClientHello_without_a_name_or_with_an_address(CancellationToken token)
    {
        Assert.That(NameSniffer.Find(await ClientHelloAsync("", token), out _), Is.EqualTo(SniffState.Nothing));
        byte[] hello = await ClientHelloAsync("ab.example", token);
        int at = hello.AsSpan().IndexOf("ab.example"u8);
        "10.20.30.4"u8.CopyTo(hello.AsSpan(at));
        Assert.That(NameSniffer.Find(hello, out _), Is.EqualTo(SniffState.Nothing));
    }

    [Test, CancelAfter(30_000)]
    public async Task Find_survives_every_wrong_byte_of_a_ClientHello(CancellationToken token)
    {
        byte[] hello = await ClientHelloAsync("www.example.org", token);
        for (int i = 0; i < hello.Length; i++)
        {
            foreach (byte other in (byte[])[0, 1, 0x7f, 0xff])
            {
                byte was = hello[i];
                hello[i] = other;
                Assert.That(() => NameSniffer.Find(hello, out _), Throws.Nothing, $"byte {i} is {other}");
                hello[i] = was;
            }
        }
    }

    [TestCase("GET / HTTP/1.1\r\nHost: Example.ORG\r\n\r\n", "example.org")]
    [TestCase("GET / HTTP/1.1\r\nHost: Example.ORG\r\n", "example.org", Description = "before its head has ended")]
    [TestCase("POST /x?y HTTP/1.0\nAccept: */*\nhOST:example.org:8080\n", "example.org")]
    [TestCase("M-SEARCH * HTTP/1.1\r\nHost: example.org\r\n", null)]
    [TestCase("GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", null)]
    [TestCase("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", null)]
    [TestCase("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", null)]
    [TestCase("GET / HTTP/1.1\r\nHost:\r\n\r\n", null)]
    [TestCase("GET / HTTP/1.1\r\n\r\nHost: example.org\r\n", null)]
    [TestCase("EHLO example.org\r\nHost: example.org\r\n", null)]
    [TestCase("SSH-2.0-OpenSSH_9.2\r\n", null)]
    [TestCase("\0\0Host: example.org\r\n", null)]
    public void Find_takes_the_Host_of_HTTP_and_of_nothing_else(string text, string? expected) =>
        Assert.That(Name(Encoding.Latin1.GetBytes(text)), Is.EqualTo(expected));

    [TestCase("G")]
    [TestCase("GET / HTTP/1.1\r\nHost: example.org")]
    [TestCase("")]
    public void Find_wants_more_of_what_may_become_one(string text) =>
        Assert.That(NameSniffer.Find(Encoding.Latin1.GetBytes(text), out _), Is.EqualTo(SniffState.More));

    [Test]
    public void Find_gives_up_behind_its_bound() =>
        Assert.That(
            NameSniffer.Find(Encoding.Latin1.GetBytes("GET / HTTP/1.1\r\nX: " + new string('x', NameSniffer.MostBytes)), out _),
            Is.EqualTo(SniffState.Nothing));

    private static string? Name(ReadOnlySpan<byte> bytes) =>
        NameSniffer.Find(bytes, out var name) == SniffState.Found ? name.Host : null;

    /// <summary>What the framework's own TLS says first.</summary>
    private static async Task<byte[]> ClientHelloAsync(string host, CancellationToken token)
    {
        using var said = new FirstWrite();
        await using var tls = new SslStream(said);
        _ = tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = host }, token)
            .ContinueWith(static task => task.Exception, TaskScheduler.Default);
        return await said.Bytes.WaitAsync(token);
    }

    /// <summary>The same handshake message in records of so many bytes.</summary>
    private static byte[] InRecordsOf(byte[] record, int size)
    {
        var result = new List<byte>();
        foreach (byte[] part in record[5..].Chunk(size))
        {
            byte[] length = new byte[2];
            BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)part.Length);
            result.AddRange([22, 3, 1, .. length, .. part]);
        }

        return [.. result];
    }

    private sealed class FirstWrite : MemoryStream
    {
        private readonly TaskCompletionSource<byte[]> _bytes = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<byte[]> Bytes => _bytes.Task;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _bytes.TrySetResult(buffer.ToArray());
            return ValueTask.CompletedTask;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(0);
    }
}
