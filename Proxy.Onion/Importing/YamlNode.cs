namespace TorBalancer.Onion.Importing;

/// <summary>A part of a YAML document.</summary>
/// <param name="Line">Where it begins, from 1.</param>
internal abstract record YamlNode(int Line);

/// <param name="Text">What it says, without quotes; "" for nothing at all and for null.</param>
internal sealed record YamlScalar(string Text, int Line) : YamlNode(Line);

internal sealed record YamlSequence(IReadOnlyList<YamlNode> Items, int Line) : YamlNode(Line);

/// <param name="Entries">In their order; no key comes twice.</param>
internal sealed record YamlMapping(IReadOnlyList<KeyValuePair<string, YamlNode>> Entries, int Line) : YamlNode(Line)
{
    public YamlNode? this[string key] => Entries.FirstOrDefault(entry => entry.Key == key).Value;
}
