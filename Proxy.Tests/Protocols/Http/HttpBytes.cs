using System.Buffers;
using System.Text;
using TorBalancer.Fuzz;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Protocols.Http;

/// <summary>Bytes for parser tests: text to sequences of one or several segments.</summary>
internal static class HttpBytes
{
    public static byte[] Of(string text) => Encoding.Latin1.GetBytes(text);

    public static ReadOnlySequence<byte> Sequence(string text) => new(Of(text));

    /// <summary>The same bytes in two segments.</summary>
    public static ReadOnlySequence<byte> Split(byte[] bytes, int at)
    {
        var first = new Segment(bytes.AsMemory(0, at), 0);
        var second = first.Append(bytes.AsMemory(at));
        return new ReadOnlySequence<byte>(first, 0, second, second.Memory.Length);
    }

    public static HttpParseStatus ParseRequest(string text, HttpRequestHead head, out HttpReject reject)
    {
        var buffer = Sequence(text);
        var scanner = HttpHeadScanner.ForRequest();
        return HttpRequestParser.TryParse(ref buffer, ref scanner, head, out reject);
    }
}
