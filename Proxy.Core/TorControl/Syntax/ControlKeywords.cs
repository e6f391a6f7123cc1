using System.Collections;
using System.Globalization;

namespace TorBalancer.TorControl.Syntax;

/// <summary>The KEY=value part of a line, those that we do not know included. Keys in any letter case.</summary>
internal sealed class ControlKeywords(IReadOnlyDictionary<string, string> values) : IEnumerable<KeyValuePair<string, string>>
{
    public static readonly ControlKeywords Empty = new(new Dictionary<string, string>());

    public int Count => values.Count;

    /// <summary>The value, bytes mapped to Latin-1, or null when the key is missing.</summary>
    public string? this[string key] => values.GetValueOrDefault(key);

    /// <summary>The value as a whole number, or null when it is missing or none.</summary>
    public long? Integer(string key)
        => long.TryParse(this[key], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : null;

    /// <summary>The value as a UTC time (ISO 8601, with or without fractions of a second), or null when it is missing or none.</summary>
    public DateTimeOffset? Time(string key)
        => DateTimeOffset.TryParse(this[key], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var value) ? value : null;

    /// <summary>The value split at commas; empty when it is missing or empty.</summary>
    public IReadOnlyList<string> List(string key) => this[key] is { Length: > 0 } value ? value.Split(',') : [];

    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
