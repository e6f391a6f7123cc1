using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Descriptors;

/// <summary>One item of a document of tor's (dir-spec, 1.2): a keyword line, and an object if one follows.</summary>
/// <param name="Keyword">The line's first word.</param>
/// <param name="Arguments">What follows it on its line, without the space between.</param>
/// <param name="Start">Where it begins in the document.</param>
internal sealed record DocumentItem(string Keyword, string Arguments, int Start)
{
    private const string Begin = "-----BEGIN ", End = "-----END ", Dashes = "-----";

    /// <summary>More items than any descriptor has.</summary>
    private const int MostItems = 10_000;

    /// <summary>The object's type, as in <c>-----BEGIN ED25519 CERT-----</c>; null without an object.</summary>
    public string? ObjectType { get; private init; }

    /// <summary>The object's bytes; empty without one.</summary>
    public byte[] Object { get; private init; } = [];

    /// <summary>Splits a document into its items; null when it has not that form.</summary>
    public static IReadOnlyList<DocumentItem>? ReadAll(string text)
    {
        var items = new List<DocumentItem>();
        for (int at = 0; at < text.Length;)
        {
            if (items.Count == MostItems || ReadOne(text, ref at) is not { } item)
                return null;
            items.Add(item);
        }

        return items;
    }

    /// <summary>The bytes of an object of a type; null when the item has another one or none.</summary>
    public byte[]? ObjectOf(string type) => ObjectType == type ? Object : null;

    private static DocumentItem? ReadOne(string text, ref int at)
    {
        int start = at;
        var line = NextLine(text, ref at);
        int space = line.IndexOf(' ');
        var keyword = space < 0 ? line : line[..space];
        if (keyword.Length == 0 || keyword.StartsWith('-') || keyword.ContainsAnyExceptInRange('!', '~'))
            return null;
        var item = new DocumentItem(keyword.ToString(), space < 0 ? "" : line[(space + 1)..].Trim(' ').ToString(), start);
        if (!text.AsSpan(at).StartsWith(Begin, StringComparison.Ordinal))
            return item;

        var first = NextLine(text, ref at);
        if (!first.EndsWith(Dashes, StringComparison.Ordinal) || first.Length <= Begin.Length + Dashes.Length)
            return null;
        string type = first[Begin.Length..^Dashes.Length].ToString();
        int body = at;
        int end = text.IndexOf("\n" + End, Math.Max(0, body - 1), StringComparison.Ordinal);
        if (end < 0)
            return null;
        at = end + 1;
        if (!NextLine(text, ref at).SequenceEqual($"{End}{type}{Dashes}"))
            return null;
        var lines = end > body ? text.AsSpan(body, end - body) : default;
        return Base64Text.DecodeLines(lines) is { } bytes ? item with { ObjectType = type, Object = bytes } : null;
    }

    private static ReadOnlySpan<char> NextLine(string text, ref int at)
    {
        int end = text.IndexOf('\n', at);
        var line = end < 0 ? text.AsSpan(at) : text.AsSpan(at, end - at);
        at = end < 0 ? text.Length : end + 1;
        return line;
    }
}
