using System.Net.Http.Headers;

namespace TorBalancer.Admin.Fetch;

/// <summary>The content codings of a body (RFC 9110, section 8.4), undone as far as they are known.</summary>
internal static class FetchCodings
{
    /// <summary>What is asked for.</summary>
    public const string Accepted = "gzip, deflate, br";

    /// <summary>Of one body. More than one is a mistake of two servers in a row; each costs memory and multiplies the work.</summary>
    public const int MaxCodings = 2;

    /// <summary>What undoing the costliest list of codings may take, bytes.</summary>
    public const long MaxMemory = MaxCodings * (DecodingStream.BrotliTables + DecodingStream.LargestBrotliWindow);

    /// <summary>
    /// The codings to undo, in the order of undoing them, and those that stay because one behind them (so one that was
    /// applied later) is not known, or because there are too many.
    /// </summary>
    /// <param name="headers">The fields of a body; their values list codings in the order in which they were applied.</param>
    /// <param name="most">How many to undo at most.</param>
    public static (IReadOnlyList<FetchCoding> Known, string? Left) Read(HttpContentHeaders headers, int most)
    {
        // Empty members are to be ignored (section 5.6.1.2); identity stands for no coding (section 12.5.3).
        List<string> named = [];
        if (headers.NonValidated.TryGetValues("Content-Encoding", out var lines))
        {
            foreach (string line in lines)
                named.AddRange(
                    line.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                        .Where(static one => !Is(one, "identity")));
        }

        List<FetchCoding> known = [];
        while (known.Count < most && named.Count > 0 && Find(named[^1]) is { } coding)
        {
            known.Add(coding);
            named.RemoveAt(named.Count - 1);
        }

        return (known, named.Count > 0 ? string.Join(", ", named) : null);
    }

    /// <summary>The body without these codings.</summary>
    public static Stream Undo(Stream body, IReadOnlyList<FetchCoding> codings, MemoryShare share)
    {
        foreach (var coding in codings)
            body = new DecodingStream(new CodedStream(body), coding, share);
        return body;
    }

    /// <summary>Bytes that undoing these may take at most.</summary>
    public static long MemoryOf(IReadOnlyList<FetchCoding> codings) => codings.Sum(static coding => DecodingStream.MemoryOf(coding));

    /// <summary>Case-insensitive (section 8.4.1); x-gzip is gzip (section 8.4.1.3).</summary>
    private static FetchCoding? Find(string name) =>
        Is(name, "gzip") || Is(name, "x-gzip") ? FetchCoding.Gzip
        : Is(name, "deflate") ? FetchCoding.Deflate
        : Is(name, "br") ? FetchCoding.Brotli
        : null;

    private static bool Is(string name, string coding) => name.Equals(coding, StringComparison.OrdinalIgnoreCase);
}
