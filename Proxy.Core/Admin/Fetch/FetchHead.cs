using System.Net.Http.Headers;

namespace TorBalancer.Admin.Fetch;

/// <param name="Name">In lower case.</param>
/// <param name="Values">One for each line.</param>
internal readonly record struct FetchField(string Name, IReadOnlyCollection<string> Values);

/// <summary>The head of an answer: its fields, and what they take.</summary>
internal static class FetchHead
{
    /// <summary>What a name and a value take each besides their text, bytes.</summary>
    private const long Overhead = 128;

    /// <summary>Bytes that the fields take.</summary>
    public static long MemoryOf(HttpResponseMessage response)
    {
        long memory = 0;
        foreach (var (name, values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
        {
            memory += Overhead + (4 * name.Length);
            foreach (string value in values)
                memory += Overhead + (2 * value.Length);
        }

        return memory;
    }

    /// <summary>As they came, but for those that do not fit a body whose codings were undone.</summary>
    /// <param name="isDecoded">True when at least one coding was.</param>
    /// <param name="left">Those that the body still has; null: none.</param>
    public static List<FetchField> FieldsOf(HttpResponseMessage response, bool isDecoded, string? left)
    {
        List<FetchField> fields = [];
        foreach (var (name, values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
        {
            string key = name.ToLowerInvariant();
            if (!isDecoded || key is not ("content-encoding" or "content-length"))
                fields.Add(new FetchField(key, values));
        }

        if (isDecoded && left is not null)
            fields.Add(new FetchField("content-encoding", [left]));
        return fields;
    }
}
