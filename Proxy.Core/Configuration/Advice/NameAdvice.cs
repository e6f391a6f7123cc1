using System.Buffers;
using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Advice;

/// <summary>
/// What was meant by the name of a section or a key that does not exist: spelling first, then where else a key of this name
/// stands, then the words of other programs. An answer is a clause to put behind the message, or empty.
/// </summary>
internal sealed class NameAdvice(ConfigurationSchema schema)
{
    private const int MostNamed = 3;

    private static readonly SearchValues<char> Separators = SearchValues.Create(" \t:/=\"'.");
    private static readonly ValueContext NoContext = new("/", null);

    /// <summary>A section's name as it is shown in a message: <c>Worker:name</c>.</summary>
    public static string Header(SchemaSection section) => section.Header;

    /// <summary>The header that was meant, without its brackets, with the user's own name where there is one; null: no idea.</summary>
    public string? MeantHeader(string written)
    {
        string text = written.Trim(' ', '\t', '[', ']', '(', ')', '{', '}', '<', '>', '"', '\'', ':', '=');
        // [Users] is what stands in a listener, not a user.
        if (schema.Listener.Find(text) is not null)
            return null;
        int letters = 0;
        while (letters < text.Length && char.IsAsciiLetter(text[letters]))
            letters++;
        int word = text.AsSpan().IndexOfAny(Separators) is >= 0 and var at ? at : text.Length;

        // worker-01 and socks5 are names; load-balancer is a word.
        bool isNumbered = word > letters && text[letters..word].TrimStart('-', '_').All(char.IsAsciiDigit);
        foreach (int length in (ReadOnlySpan<int>)(isNumbered ? [letters, word] : [word, letters]))
        {
            if (length == 0 || Kind(text[..length]) is not { } kind)
                continue;
            if (!kind.IsNamed)
                return kind.Name;
            string rest = text[length..];
            bool isWhole = rest.Length > 0 && (char.IsAsciiDigit(rest[0]) || rest[0] is '-' or '_');
            bool isForeign = rest.Length == 0 && ForeignWords.Section(text) == kind.Name;
            return $"{kind.Name}:{CleanName(kind, isWhole || isForeign ? text : rest)}";
        }

        return null;
    }

    /// <summary>Why there is no such key in this section.</summary>
    /// <param name="section">The kind of section.</param>
    /// <param name="key">As written.</param>
    /// <param name="value">Shown only where the key that was meant accepts it and is no secret.</param>
    public string OfKey(SchemaSection section, string key, string value)
    {
        var homes = schema.Sections.Where(other => other.Find(key) is not null).ToList();
        string belongs = homes.Count == 0
            ? ""
            : $"; {homes[0].Find(key)!.Name} belongs into {Join(homes.Select(static home => $"[{Header(home)}]"))}";
        if (ForeignWords.IsTorrc(key))
            return Elsewhere(key);
        if (Native(section, key) is { } native)
            return $"; did you mean \"{Entry(native, value)}\"?";
        var containing = Containing(section, key);
        if (containing.Count == 1)
            return $"; did you mean \"{Entry(section.Find(containing[0])!, value)}\"?{belongs}";
        if (containing.Count > 0)
            return $"; did you mean {Join(containing.Select(static one => $"\"{one}\""))}?{belongs}";
        if (homes.Count > 0)
            return belongs;
        var names = section.Keys.Select(static one => one.Name);
        if (key.StartsWith(section.Name + ".", StringComparison.OrdinalIgnoreCase)
            && section.Find(key[(section.Name.Length + 1)..]) is { } local)
            return $"; did you mean \"{local.Name}\"?";
        if (Spelling.Closest(key, names) is { } near)
            return $"; did you mean \"{Entry(section.Find(near)!, value)}\"?";
        if (Elsewhere(key) is { Length: > 0 } elsewhere)
            return elsewhere;
        return Spelling.SharingStem(key, names) is { } stem ? $"; did you mean \"{Entry(section.Find(stem)!, value)}\"?" : "";
    }

    /// <summary>Where a key of this name, or of a word of others, belongs; empty: no idea.</summary>
    public string Elsewhere(string key)
    {
        if (ForeignWords.IsTorrc(key))
        {
            return $"; {ForeignWords.Key(key).First().Word} is an option of torrc: "
                + "it goes into the file that [ManagedWorkers] ExtraTorrc names";
        }

        var homes = Homes(key);
        if (homes.Count == 0 && key.IndexOf('.') is > 0 and var dot && schema.Find(key[..dot]) is { } named
            && named.Find(key[(dot + 1)..]) is { } row)
            homes = [(named, row)];
        if (homes.Count == 0)
            homes = Near(key);
        string places = Join(homes.DistinctBy(static home => home.Section).Select(static home => $"[{Header(home.Section)}]"));
        return homes.Count switch
        {
            0 => "",
            _ when homes[0].Key.Name.Equals(key, StringComparison.OrdinalIgnoreCase) => $"; it belongs into {places}",
            _ when homes.All(home => home.Key.Name == homes[0].Key.Name) =>
                $"; did you mean {homes[0].Key.Name}, which belongs into {places}?",
            _ => $"; did you mean {Join(homes.Select(static home => $"{home.Key.Name} in [{Header(home.Section)}]"))}?",
        };
    }

    /// <summary>Where the key is that somebody took for a section; empty: there is none.</summary>
    public string HomeOf(string section) =>
        Homes(section) is [var home, ..] ? $"; {home.Key.Name} is a key of [{Header(home.Section)}]" : "";

    /// <summary>The keys of that name, whatever their section; else those that a word of others means.</summary>
    public List<(SchemaSection Section, SchemaKey Key)> Homes(string key)
    {
        var homes = new List<(SchemaSection, SchemaKey)>();
        foreach (var section in schema.Sections)
        {
            if (section.Keys.FirstOrDefault(row => Spelling.Same(row.Name, key)) is { } row)
                homes.Add((section, row));
        }

        if (homes.Count > 0)
            return homes;
        foreach (var word in ForeignWords.Key(key).Take(MostNamed))
            homes.Add((schema.Find(word.Section)!, schema.Find(word.Section)!.Find(word.Key)!));
        return homes;
    }

    /// <summary>The key of this section that is meant: its own name but for separators, or a word of others for it.</summary>
    public static SchemaKey? Native(SchemaSection section, string key) =>
        section.Keys.FirstOrDefault(row => Spelling.Same(row.Name, key))
        ?? (ForeignWords.Key(key).FirstOrDefault(word => word.Section == section.Name) is { } foreign ? section.Find(foreign.Key) : null);

    /// <summary>
    /// <c>Key = value</c> as it would be accepted; the key alone where the value is right already, or must not be shown, or may be
    /// any text, or is of no use.
    /// </summary>
    public static string Entry(SchemaKey row, string value, bool always = false)
    {
        string? accepted = null;
        if (!row.IsSecret && !row.IsFree && value.Length > 0 && !value.Any(char.IsControl))
            accepted = row.Check(value, NoContext) is not { } problem
                ? (always ? value : null)
                : ValueAdvice.Improve(row, value, NoContext, problem) switch
                {
                    { Suggestion: null } => null,
                    var improved => ValueAdvice.Replaced(value, improved),
                };
        if (accepted is null)
            return always ? $"{row.Name} = …" : row.Name;
        return $"{row.Name} = {accepted}";
    }

    public SchemaSection? Find(string kind) => schema.Find(kind);

    private SchemaSection? Kind(string word)
    {
        var names = schema.Sections.Select(static section => section.Name);
        string? name = Spelling.Closest(word, names) ?? ForeignWords.Section(word) ?? Spelling.SharingStem(word, names);
        return name is null ? null : schema.Find(name);
    }

    /// <summary>The keys of which the word is a part: Timeout is one of IdleTimeout.</summary>
    private static List<string> Containing(SchemaSection section, string key)
    {
        if (key.Length < 4)
            return [];
        return [.. section.Keys.Select(static row => row.Name)
            .Where(name =>
                name.EndsWith(key, StringComparison.OrdinalIgnoreCase) || name.StartsWith(key, StringComparison.OrdinalIgnoreCase))
            .Take(MostNamed)];
    }

    private List<(SchemaSection Section, SchemaKey Key)> Near(string key)
    {
        var names = schema.Sections.SelectMany(static section => section.Keys).Select(static row => row.Name);
        if (key.Length < 5 || Spelling.Closest(key, names) is not { } near)
            return [];
        return [.. schema.Sections.Where(section => section.Find(near) is not null).Select(section => (section, section.Find(near)!))];
    }

    private static string CleanName(SchemaSection kind, string rest)
    {
        if (!kind.Header.Contains('/'))
            return CleanName(rest);
        int slash = rest.IndexOf('/');
        return slash < 0 ? $"service/{CleanName(rest)}" : $"{CleanName(rest[..slash])}/{CleanName(rest[(slash + 1)..])}";
    }

    private static string CleanName(string rest)
    {
        string name = string.Concat(rest.Select(static c => ConfText.IsName([c]) ? c : '-')).Trim('-', '.');
        return name.Length == 0 ? "name" : name[..Math.Min(name.Length, ConfText.MaxNameLength)];
    }

    public static string Join(IEnumerable<string> items)
    {
        string[] all = [.. items];
        return all.Length < 2 ? string.Concat(all) : $"{string.Join(", ", all[..^1])} or {all[^1]}";
    }
}
