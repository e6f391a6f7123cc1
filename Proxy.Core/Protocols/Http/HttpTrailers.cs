using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>The field lines behind the last chunk (RFC 9112, section 7.1.2).</summary>
internal sealed class HttpTrailers : HttpHead
{
    /// <summary>
    /// Those that go on. Of an answer further ones are dropped, as any recipient may do with all of them (RFC 9110, section 6.5.1).
    /// </summary>
    public ReadOnlySpan<HttpField> Kept => Fields[..Math.Min(FieldCount, HttpLimits.TrailerFields)];

    /// <param name="section">The field lines with the empty line behind them.</param>
    /// <param name="lenient">They are a response's.</param>
    /// <returns>Null, or what is wrong.</returns>
    public string? Parse(in ReadOnlySequence<byte> section, bool lenient)
    {
        Load(section);
        string? problem = ParseFields(0, lenient);
        IsRepaired |= FieldCount > HttpLimits.TrailerFields;
        return problem;
    }
}
