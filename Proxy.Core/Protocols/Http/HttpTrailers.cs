using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>The field lines behind the last chunk (RFC 9112, section 7.1.2).</summary>
internal sealed class HttpTrailers : HttpHead
{
    /// <returns>Null, or what is wrong.</returns>
    public string? Parse(in ReadOnlySequence<byte> section)
    {
        Load(section);
        return ParseFields(0, HttpLimits.TrailerFields, lenient: false);
    }
}
