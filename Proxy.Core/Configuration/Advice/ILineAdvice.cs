namespace TorBalancer.Configuration.Advice;

/// <summary>Says what was meant by a line that is no configuration. Each answer is a clause to put behind the message, or empty.</summary>
internal interface ILineAdvice
{
    /// <summary>A header whose brackets are wrong.</summary>
    string OfHeader(ReadOnlySpan<char> line);

    /// <summary>A line that is no entry.</summary>
    /// <param name="section">The section that it stands in, as written; empty: none.</param>
    /// <param name="line">It may be a part of a list of passwords: only what is a key's own word, or a value that the key accepts,
    /// may be repeated.</param>
    string OfLine(string section, ReadOnlySpan<char> line);

    /// <summary>A key before the first section.</summary>
    string OfOrphan(ReadOnlySpan<char> key);
}
