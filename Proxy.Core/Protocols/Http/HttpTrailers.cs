using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>The field lines behind the last chunk (RFC 9112, section 7.1.2).</summary>
internal sealed class HttpTrailers : HttpHead
{
    /// <param name="section">The field lines with the empty line behind them.</param>
    /// <param name="lenient">They are a response's.</param>
    /// <returns>Null, or what is wrong.</returns>
    public string? Parse(in ReadOnlySequence<byte> section, bool lenient)
    {
        Load(section);
        return ParseFields(0, lenient);
    }
}
