using TorBalancer.Configuration.Schema;

namespace TorBalancer.Configuration.Reading;

/// <summary>A key's value as the last layer that names the key gives it.</summary>
/// <param name="Key">Its row of the schema.</param>
/// <param name="Text">Without comment and quotes; empty or white space: taken back, the default holds.</param>
/// <param name="Origin">Where it stands.</param>
/// <param name="IsQuoted">Double quotes stood around the whole of it in the file: every character of it is meant.</param>
internal sealed record GivenValue(SchemaKey Key, string Text, ConfigurationOrigin Origin, bool IsQuoted = false)
{
    /// <summary>False for an empty value, which is the same as none: so a layer can take back what a lower one says.</summary>
    public bool IsSet => !string.IsNullOrWhiteSpace(Text);

    /// <summary>Without the text, which may be a password.</summary>
    public override string ToString() => $"{Key.Name} ({Origin})";
}

/// <summary>
/// All layers put together: each section and each key with its value, where that comes from, and which values could not be
/// understood. Sections and keys are found in any letter case.
/// </summary>
/// <param name="whole">What is named when a section stands nowhere: the file, or the defaults.</param>
internal sealed class GivenValues(ConfigurationOrigin whole)
{
    private readonly Dictionary<string, GivenSection> _sections = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _inOrder = [];

    /// <summary>The sections that are named, as the schema spells them, in the order in which they came.</summary>
    public IReadOnlyList<string> Sections => _inOrder;

    /// <summary>True when a secret of any section has the value that it has from this file.</summary>
    public bool HasSecretsIn(string file) => _sections.Values.Any(section => section.Values.Values.Any(value =>
        value.Key.IsSecret && value.IsSet && value.Origin.Layer == ConfigurationLayer.File && value.Origin.Name == file));

    /// <summary>Takes note of where a section begins; the first call for it holds.</summary>
    public void AddSection(string section, ConfigurationOrigin origin)
    {
        if (_sections.TryAdd(section, new GivenSection(origin)))
            _inOrder.Add(section);
    }

    /// <summary>Forgets a section and all that was given there.</summary>
    public void RemoveSection(string section)
    {
        _sections.Remove(section);
        _inOrder.RemoveAll(one => one.Equals(section, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>True when some layer names the section.</summary>
    public bool HasSection(string section) => _sections.ContainsKey(section);

    /// <summary>What is given in a section, in the order in which the keys came; nothing where nobody names it.</summary>
    public IReadOnlyList<GivenValue> ValuesOf(string section) =>
        _sections.TryGetValue(section, out var found) ? [.. found.Values.Values] : [];

    /// <summary>Puts what another one has of a key in the place of what is given here; null: nothing is.</summary>
    public void Replace(string section, string key, GivenValue? value)
    {
        if (value is not null)
        {
            AddSection(section, value.Origin);
            _sections[section].Values[key] = value;
        }
        else if (_sections.TryGetValue(section, out var found))
        {
            found.Values.Remove(key);
        }
    }

    /// <summary>
    /// Called layer by layer, after <see cref="AddSection"/>: the last one that gives a key has it, even when it gives an empty
    /// value.
    /// </summary>
    public void Add(string section, GivenValue value) => _sections[section].Values[value.Key.Name] = value;

    /// <summary>The value of a key; null: no layer names it.</summary>
    public GivenValue? Find(string section, string key) =>
        _sections.TryGetValue(section, out var found) ? found.Values.GetValueOrDefault(key) : null;

    /// <summary>The full names of those that were given of a kind of section of which there are many, in their order.</summary>
    public IEnumerable<string> SectionsOf(string kind) =>
        _inOrder.Where(name => name.StartsWith(kind + ":", StringComparison.OrdinalIgnoreCase));

    /// <summary>A section holds a key that does not exist: what it then lacks would only be a second complaint.</summary>
    public void AddUnknown(string section) => _sections[section].HasUnknown = true;

    public bool HasUnknown(string section) => _sections.TryGetValue(section, out var found) && found.HasUnknown;

    /// <summary>A value of this key, of whatever layer, was refused.</summary>
    public void AddFailed(string section, string key) => _sections[section].Failed.Add(key);

    /// <summary>Where the key is given, else where its section begins, else the whole configuration.</summary>
    public ConfigurationOrigin OriginOf(string section, string key)
    {
        if (!_sections.TryGetValue(section, out var found))
            return whole;
        return found.Values.TryGetValue(key, out var value) ? value.Origin : found.Origin;
    }

    /// <summary>Where the section begins.</summary>
    public ConfigurationOrigin SectionOrigin(string section) => _sections.TryGetValue(section, out var found) ? found.Origin : whole;

    /// <summary>True when some layer gives the key a value; empty counts as left out.</summary>
    public bool IsSet(string section, string key) => Find(section, key) is { IsSet: true };

    /// <summary>True when one of the values was refused: what is checked between keys would only add a second, wrong complaint.</summary>
    public bool AnyFailed(string section, params ReadOnlySpan<string> keys)
    {
        if (!_sections.TryGetValue(section, out var found))
            return false;
        foreach (string key in keys)
        {
            if (found.Failed.Contains(key))
                return true;
        }

        return false;
    }

    private sealed class GivenSection(ConfigurationOrigin origin)
    {
        public ConfigurationOrigin Origin { get; } = origin;

        public Dictionary<string, GivenValue> Values { get; } = new(StringComparer.OrdinalIgnoreCase);

        public HashSet<string> Failed { get; } = new(StringComparer.OrdinalIgnoreCase);

        public bool HasUnknown { get; set; }
    }
}
