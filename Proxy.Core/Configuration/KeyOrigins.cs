namespace TorBalancer.Configuration;

/// <summary>Remembers where each section and key comes from, and which values could not be understood.</summary>
internal sealed class KeyOrigins(ConfigurationOrigin whole)
{
    private readonly Dictionary<string, ConfigurationOrigin> _sections = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, ConfigurationOrigin> _keys = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _set = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _unknown = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _failed = new(StringComparer.OrdinalIgnoreCase);

    public void AddSection(string section, ConfigurationOrigin origin) => _sections.TryAdd(section, origin);

    /// <summary>Called layer by layer: the last one that gives a key has it, even when it gives an empty value.</summary>
    public void AddKey(string section, string key, string value, ConfigurationOrigin origin)
    {
        string path = $"{section}:{key}";
        _keys[path] = origin;
        if (string.IsNullOrWhiteSpace(value))
            _set.Remove(path);
        else
            _set.Add(path);
    }

    /// <summary>A section holds a key that does not exist: what it then lacks would only be a second complaint.</summary>
    public void AddUnknown(string section) => _unknown.Add(section);

    public bool HasUnknown(string section) => _unknown.Contains(section);

    public void AddFailed(string section, string key) => _failed.Add($"{section}:{key}");

    /// <summary>Where the key is given, else where its section begins, else the whole configuration.</summary>
    public ConfigurationOrigin Of(string section, string key) =>
        _keys.TryGetValue($"{section}:{key}", out var origin) || _sections.TryGetValue(section, out origin) ? origin : whole;

    /// <summary>True when some layer gives the key a value; empty counts as left out.</summary>
    public bool IsSet(string section, string key) => _set.Contains($"{section}:{key}");

    /// <summary>True when one of the values was refused: what is checked between keys would only add a second, wrong complaint.</summary>
    public bool AnyFailed(string section, params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            if (_failed.Contains($"{section}:{key}"))
                return true;
        }

        return false;
    }
}
