using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>One kind of section and its keys.</summary>
/// <param name="name">The section's name, or the part before the colon.</param>
/// <param name="about">What it is for, in a sentence or two.</param>
/// <param name="nameForm">
/// For sections of which there are many, what stands behind the colon: [Worker:name], [Instance:service/name]. Null: there is only one.
/// </param>
/// <param name="needsRestart">True where the daemon reads every key when it starts, and not again.</param>
internal abstract class SchemaSection(string name, string about, string? nameForm, bool needsRestart)
{
    public string Name { get; } = name;

    public string About { get; } = about;

    public bool IsNamed => NameForm is not null;

    /// <summary>"name", or "service/name" where a name has two parts; null: there is only one such section.</summary>
    public string? NameForm { get; } = nameForm;

    /// <summary>The section as it is shown, without brackets: <c>Log</c>, <c>Worker:name</c>.</summary>
    public string Header => NameForm is null ? Name : $"{Name}:{NameForm}";

    /// <summary>True for a name that such a section may have.</summary>
    public bool IsName(ReadOnlySpan<char> name)
    {
        if (NameForm is null)
            return false;
        int slash = name.IndexOf('/');
        return NameForm.Contains('/')
            ? slash >= 0 && ConfText.IsName(name[..slash]) && ConfText.IsName(name[(slash + 1)..])
            : ConfText.IsName(name);
    }

    /// <summary>True when no key of it is live.</summary>
    public bool NeedsRestart { get; } = needsRestart;

    public abstract IReadOnlyList<SchemaKey> Keys { get; }

    public SchemaKey? Find(string key) => Keys.FirstOrDefault(row => string.Equals(row.Name, key, StringComparison.OrdinalIgnoreCase));
}

/// <summary>A section whose values go into a <typeparamref name="TTarget"/>.</summary>
internal sealed class SchemaSection<TTarget>(string name, string about, string? nameForm = null, bool needsRestart = false)
    : SchemaSection(name, about, nameForm, needsRestart)
{
    private readonly List<SchemaKey<TTarget>> _rows = [];

    public override IReadOnlyList<SchemaKey> Keys => _rows;

    public IReadOnlyList<SchemaKey<TTarget>> Rows => _rows;

    /// <summary>Adds a row.</summary>
    /// <param name="restart">True when a change of it needs a restart; all others are put into force by a reload.</param>
    public SchemaSection<TTarget> Key<TValue>(
        string name, ValueParser<TValue> parser, string defaultText, string description, Action<TTarget, TValue> set, bool secret = false,
        bool restart = false)
    {
        _rows.Add(new SchemaKey<TTarget>(name, parser.Allowed, defaultText, description, secret, parser.IsFree, (target, text, context) =>
        {
            var problem = parser.Parse(text, context, out var value);
            if (problem is null)
                set(target, value);
            return problem;
        },
        (text, context) => parser.Parse(text, context, out _))
        {
            NeedsRestart = NeedsRestart || restart,
        });
        return this;
    }

    /// <summary>Adds a row whose only allowed value is the default: there is nothing to put anywhere.</summary>
    public SchemaSection<TTarget> Fixed(string name, ValueParser<string> parser, string defaultText, string description) =>
        Key(name, parser, defaultText, description, static (_, _) => { });
}
