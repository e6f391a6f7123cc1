using System.Buffers;
using System.Text;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Daemon.Commands;

/// <summary>Writes the sections of a publisher's configuration.</summary>
internal sealed class OnionSections
{
    private static readonly SearchValues<char> NeedQuotes = SearchValues.Create(";#");

    private readonly StringBuilder _text = new();
    private readonly HashSet<string> _services = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="header">Comment lines at its top, without their semicolons.</param>
    public OnionSections(params IEnumerable<string> header)
    {
        foreach (string line in header)
            _text.Append("; ").Append(line).Append('\n');
    }

    /// <summary>Adds [Publisher], with these keys.</summary>
    public void AddPublisher(params IEnumerable<(string Key, string Value, string Comment)> keys)
    {
        _text.Append("\n[Publisher]\n");
        foreach (var (key, value, comment) in keys)
        {
            foreach (string line in comment.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                _text.Append("; ").Append(line).Append('\n');
            AddKey(key, value);
        }
    }

    /// <summary>Adds a service and its instances, with names that are made fit and unique where they are not.</summary>
    /// <param name="address">Stands beside it as a comment; null when it is not known.</param>
    public void AddService(
        string name, string keyPath, OnionServiceAddress? address, IEnumerable<(string? Name, OnionServiceAddress Address)> instances)
    {
        string service = Unique(name, "service", _services);
        _text.Append("\n[OnionService:").Append(service).Append("]\n");
        if (address is { } known)
            _text.Append("; ").Append(known).Append('\n');
        AddKey("Key", keyPath);
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (index, (given, instance)) in instances.Index())
        {
            string fallback = $"node{index + 1}";
            _text.Append("\n[Instance:").Append(service).Append('/').Append(Unique(given ?? fallback, fallback, names)).Append("]\n");
            _text.Append("Address = ").Append(instance).Append('\n');
        }
    }

    /// <summary>False for a value that no configuration can hold: it would need double quotes, and has some.</summary>
    public static bool CanBeWritten(string value) => IsPlain(value) || !value.Contains('"');

    // What would begin a comment, or be cut off.
    private static bool IsPlain(string value) => !value.AsSpan().ContainsAny(NeedQuotes) && value.Trim().Length == value.Length;

    private void AddKey(string key, string value) =>
        _text.Append(key).Append(IsPlain(value) ? $" = {value}\n" : $" = \"{value}\"\n");

    public override string ToString() => _text.ToString();

    /// <summary>The name with what no name has replaced, and a number where it is taken.</summary>
    private static string Unique(string name, string fallback, HashSet<string> taken)
    {
        // Room for the number.
        const int longest = ConfText.MaxNameLength - 6;
        string clean = string.Concat(name.Select(static c => ConfText.IsName([c]) ? c : '-')).Trim('-', '.');
        clean = clean.Length == 0 ? fallback : clean[..Math.Min(clean.Length, longest)];
        string unique = clean;
        for (int i = 2; !taken.Add(unique); i++)
            unique = $"{clean}-{i}";
        return unique;
    }
}
