using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>A section that some layer names.</summary>
/// <param name="Schema">Its kind.</param>
/// <param name="Name">The part after the colon; empty for sections without a name.</param>
/// <param name="Path">"Balancing" or "Worker:w1", in the spelling of the schema and of whoever named it first.</param>
internal sealed record SectionInstance(SchemaSection Schema, string Name, string Path);

/// <summary>
/// Resolves what the layers name to sections and keys of the schema, and remembers the named ones in the order in which
/// they came: the file's order is the order of mode failover.
/// </summary>
internal sealed class SectionTable(ConfigurationSchema schema, NameAdvice advice, ConfigurationIssues issues, GivenValues given)
{
    private readonly Dictionary<string, SectionInstance> _byPath = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<SectionInstance> _inOrder = [];

    public ConfigurationSchema Schema => schema;

    /// <summary>How a section of which there are many is written.</summary>
    public static string PathOf(SchemaSection kind, string name) => $"{kind.Name}:{name}";

    /// <summary>The sections of one kind, in order.</summary>
    public IEnumerable<SectionInstance> Of(SchemaSection kind) => _inOrder.Where(instance => instance.Schema == kind);

    /// <summary>The section of that name, or null after saying what is wrong with it.</summary>
    public SectionInstance? Section(string written, ConfigurationOrigin origin)
    {
        if (_byPath.TryGetValue(written, out var known))
            return known;
        int colon = written.IndexOf(':');
        string kind = colon < 0 ? written : written[..colon];
        var section = schema.Find(kind);
        string shown = ConfText.Printable(written);
        if (section is null)
        {
            string meant = advice.MeantHeader(written) is { } header ? $"; did you mean [{header}]?" : advice.HomeOf(written);
            issues.Error(origin, $"there is no section [{shown}]; allowed: "
                + $"{string.Join(", ", schema.Sections.Select(NameAdvice.Header))}{meant}", new IssueSubject(shown));
            return null;
        }

        string name = colon < 0 ? "" : written[(colon + 1)..];
        if (section.IsNamed && name.Length == 0)
            issues.Error(origin, $"[{shown}] needs a name of its own: [{section.Header}]", new IssueSubject(shown));
        else if (!section.IsNamed && colon >= 0)
            issues.Error(origin, $"[{shown}]: there is only one [{section.Name}], it takes no name", new IssueSubject(shown));
        else if (section.IsNamed && !section.IsName(name))
        {
            string form = section.NameForm == "name" ? "" : $"{section.NameForm}, each of them ";
            issues.Error(
                origin, $"[{shown}] has a name that is not allowed; allowed: {form}letters, digits, '-', '_' and '.', up to 64 of them",
                new IssueSubject(shown));
        }
        else
            return Add(new SectionInstance(section, name, section.IsNamed ? $"{section.Name}:{name}" : section.Name), origin);
        return null;
    }

    /// <summary>
    /// Looks a key up, or says that there is none of that name. The value is part of the message only as far as the key that
    /// was meant accepts it and is no secret.
    /// </summary>
    /// <returns>The key; null: there is none.</returns>
    public SchemaKey? Key(SectionInstance section, string key, string value, ConfigurationOrigin origin)
    {
        var row = section.Schema.Find(key);
        if (row is not null)
            return row;

        given.AddUnknown(section.Path);
        string allowed = string.Join(", ", section.Schema.Keys.Select(one => one.Name));
        issues.Error(origin, $"[{section.Path}] has no key \"{ConfText.Printable(key)}\"; allowed: "
            + $"{allowed}{advice.OfKey(section.Schema, key, value)}",
            new IssueSubject(section.Path, ConfText.Printable(key), null, allowed));
        return null;
    }

    /// <summary>Takes a named section out, as if nobody had named it. True when there was one.</summary>
    public bool Remove(string path)
    {
        if (!_byPath.Remove(path, out var instance))
            return false;
        _inOrder.Remove(instance);
        given.RemoveSection(instance.Path);
        return true;
    }

    private SectionInstance Add(SectionInstance instance, ConfigurationOrigin origin)
    {
        _byPath.Add(instance.Path, instance);
        _inOrder.Add(instance);
        given.AddSection(instance.Path, origin);
        return instance;
    }
}
