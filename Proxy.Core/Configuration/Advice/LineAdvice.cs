using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Advice;

/// <summary>
/// What was meant by a line that is neither a header nor an entry: other programs' syntax (torrc's <c>Key value</c>, YAML's
/// <c>key: value</c>), a key with its section in front, wrong brackets, wrong comments.
/// </summary>
internal sealed class LineAdvice(NameAdvice names) : ILineAdvice
{
    public string OfHeader(ReadOnlySpan<char> line) => OfHeader(line, showName: true);

    private string OfHeader(ReadOnlySpan<char> line, bool showName)
    {
        string inner = line.TrimStart('[').ToString();
        int end = inner.AsSpan().IndexOfAny(";#]");
        if (end >= 0)
            inner = inner[..end];
        if (names.MeantHeader(inner) is not { } meant)
            return "";
        return $"; did you mean [{(showName || meant.IndexOf(':') is not (> 0 and var colon) ? meant : meant[..colon] + ":name")}]?";
    }

    public string OfLine(string section, ReadOnlySpan<char> line)
    {
        if (line.StartsWith("//") || line.StartsWith("--") || line.StartsWith("/*") || line[0] is '*' or '%' or '!')
            return "; did you mean a comment? It begins with ; or #";
        if (line is "{" or "}" or "}," or "---")
            return "; the file is INI, neither JSON nor YAML";

        // worker:word may be a user and a password of the list before it.
        if (IsLikeHeader(line))
        {
            bool hasNoSecrets = section.Length == 0 || (KindOf(section) is { } place && !place.Keys.Any(static key => key.IsSecret));
            return OfHeader(line, showName: hasNoSecrets);
        }

        string text = line.TrimStart("-\"' ").ToString();
        string first = "";
        foreach (var (key, value) in Splits(text))
        {
            if (Meant(section, key, value) is not { } meant)
                continue;
            if (!meant.Contains('…', StringComparison.Ordinal))
                return meant;
            if (first.Length == 0)
                first = meant;
        }

        return first;
    }

    public string OfOrphan(ReadOnlySpan<char> key) => names.Elsewhere(key.ToString());

    /// <summary>In brackets of whatever kind, or with one of them lost, or the name of a section and nothing else.</summary>
    private bool IsLikeHeader(ReadOnlySpan<char> line)
    {
        if (line[^1] == ']' || (line[0] is '(' or '{' or '<' && line.Length > 1))
            return true;
        int colon = line.IndexOf(':');
        var kind = names.Find((colon < 0 ? line : line[..colon]).Trim().ToString());
        return kind is not null
            && (colon < 0 || line[(colon + 1)..].IsEmpty || (kind.IsNamed && kind.IsName(line[(colon + 1)..].Trim())));
    }

    private SchemaSection? KindOf(string section) => names.Find(section.IndexOf(':') is > 0 and var colon ? section[..colon] : section);

    /// <summary>The ways in which the line can be a key and a value.</summary>
    private static IEnumerable<(string Key, string Value)> Splits(string text)
    {
        int equals = text.IndexOf('=');
        if (equals > 0)
        {
            string key = text[..equals].Trim(' ', '\t', ':', '+', '"', '\'', '?');
            string value = text[(equals + 1)..];
            yield return (key, value);
            yield return (key[(key.LastIndexOfAny([':', ' ', '\t', '/']) + 1)..], value);
        }

        int colon = text.IndexOf(':');
        if (colon > 0)
            yield return (text[..colon], text[(colon + 1)..]);
        string[] words = text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length > 2)
            yield return ($"{words[0]} {words[1]}", string.Join(' ', words[2..]));
        for (int last = words.Length - 1; last >= 0 && words.Length > 1; last--)
            yield return (words[0], last == words.Length - 1 ? string.Join(' ', words[1..]) : words[last + 1]);
    }

    private string? Meant(string section, string key, string value)
    {
        key = key.Trim(' ', '\t', '"', '\'');
        value = value.Trim(' ', '\t', '=', ':', '>', '"', '\'', ',');
        if (key.Length is 0 or > ConfText.MaxNameLength)
            return null;
        if (ForeignWords.IsTorrc(key))
            return names.Elsewhere(key);
        if (KindOf(section) is { } kind && NameAdvice.Native(kind, key) is { } native)
            return $"; did you mean \"{NameAdvice.Entry(native, value, always: true)}\"?";
        var homes = names.Homes(key);
        if (homes.Count == 0)
            return null;
        var fitting = homes.FirstOrDefault(home => !home.Key.IsSecret
            && NameAdvice.Entry(home.Key, value, always: true) != $"{home.Key.Name} = …");
        var row = (fitting.Key is null ? homes[0] : fitting).Key;
        var places = homes.Where(home => home.Key.Name == row.Name)
            .Select(static home => $"[{NameAdvice.Header(home.Section)}]").Distinct();
        return $"; did you mean \"{NameAdvice.Entry(row, value, always: true)}\" in {NameAdvice.Join(places)}?";
    }
}
