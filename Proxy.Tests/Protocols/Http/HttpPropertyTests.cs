using System.Text;
using CsCheck;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Http;

public class HttpPropertyTests
{
    /// <summary>In pieces of all sizes, up to those that are written by themselves.</summary>
    private static readonly Gen<byte[][]> Body = Gen.OneOf(
        Gen.Byte.Array[1, 50], Gen.Byte.Array[1000, 5000], Gen.Int[16_000, 40_000].Select(static length => new byte[length])).Array[0, 6];

    [Test]
    public void Chunks_that_are_written_are_the_same_when_they_are_read() =>
        Gen.Select(Body, Gen.Int[1, 5000]).Holds(
            static one =>
            {
                var (pieces, size) = one;
                byte[] written = WriteChunked(pieces);
                byte[] body = [.. pieces.SelectMany(static piece => piece)];
                return Decode(written, written.Length)?.AsSpan().SequenceEqual(body) == true
                    && Decode(written, size)?.AsSpan().SequenceEqual(body) == true;
            },
            iterations: 100);

    [Test]
    public void Credentials_that_are_written_are_the_same_when_they_are_read() =>
        Gen.Select(Properties.AnyText.Where(static user => !user.Contains(':')), Properties.AnyText).Holds(static one =>
        {
            var (user, password) = one;
            string encoded = Convert.ToBase64String(Encoding.Latin1.GetBytes($"{user}:{password}"));
            return BasicCredentials.TryParse(Encoding.ASCII.GetBytes("Basic " + encoded), out var read)
                && read == new ClientCredentials(user, password)
                && BasicCredentials.TryParse(Encoding.ASCII.GetBytes("basic  " + encoded.TrimEnd('=')), out var unpadded)
                && unpadded == read;
        });

    [Test]
    public void Request_goes_on_to_the_host_that_it_names() =>
        Gen.Select(Properties.Host, Gen.OneOf("GET", "POST", "OPTIONS", "X-ANY"), Properties.Label, Gen.Int[0, 999]).Holds(static one =>
        {
            var (host, method, path, length) = one;
            using var head = new HttpRequestHead();
            string fields = $"Content-Length: {length}\r\nX: {path}\r\n\r\n";
            string text = $"{method} http://{host}/{path}?{path} HTTP/1.1\r\nHost: elsewhere\r\n{fields}";
            if (HttpBytes.ParseRequest(text, head, out _) != HttpParseStatus.Complete)
                return false;
            var sink = new RecordingConnection();
            using var output = new HttpOutput(sink, null, towardsUpstream: true);
            HttpHeadWriter.WriteRequest(output, head, close: false);
            output.FlushAsync(default).AsTask().GetAwaiter().GetResult();
            return sink.Written == $"{method} /{path}?{path} HTTP/1.1\r\nHost: {host.ToAuthority(80)}\r\n{fields}";
        });

    private static byte[] WriteChunked(byte[][] pieces)
    {
        var sink = new RecordingConnection();
        using var output = new HttpOutput(sink, null, towardsUpstream: true);
        foreach (byte[] piece in pieces)
            output.WriteAsync(piece, chunked: true, default).AsTask().GetAwaiter().GetResult();
        output.Append("0\r\n"u8);
        output.FlushAsync(default).AsTask().GetAwaiter().GetResult();
        return [.. sink.Writes.SelectMany(static write => write)];
    }

    private static byte[]? Decode(byte[] chunks, int size)
    {
        var decoder = new HttpChunkDecoder(lenient: false);
        var body = new MemoryStream();
        for (int at = 0; at < chunks.Length;)
        {
            var input = chunks.AsSpan(at, Math.Min(size, chunks.Length - at));
            var status = decoder.Step(input, out int consumed, out int start, out int length);
            body.Write(input.Slice(start, length));
            at += consumed;
            if (status == HttpChunkStatus.LastChunk)
                return at == chunks.Length ? body.ToArray() : null;
            if (status is not (HttpChunkStatus.Data or HttpChunkStatus.NeedMore))
                return null;
        }

        return null;
    }
}
