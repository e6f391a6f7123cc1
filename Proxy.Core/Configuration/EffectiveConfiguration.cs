using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Configuration;

/// <summary>A key with the text that holds for it.</summary>
/// <param name="Text">As it is written; a secret's is not told.</param>
/// <param name="Origin">Where it stands; the built-in defaults where no layer gives one.</param>
internal sealed record EffectiveValue(string Key, string Text, ConfigurationOrigin Origin, bool IsSecret);

/// <summary>A section with all its keys, in the order of torbalancer.conf.</summary>
/// <param name="Name">As in the file, without brackets.</param>
internal sealed record EffectiveSection(string Name, IReadOnlyList<EffectiveValue> Values);

/// <summary>Every value that holds, and where each comes from: what all layers gave together, for people.</summary>
internal static class EffectiveConfiguration
{
    private const string Hidden = "(hidden)";

    /// <summary>Sections of which there are many only where some layer has them.</summary>
    public static IReadOnlyList<EffectiveSection> Of(ConfigurationSchema schema, GivenValues given)
    {
        var sections = new List<EffectiveSection>();
        foreach (var section in schema.Sections)
        {
            if (!section.IsNamed)
                sections.Add(Of(section, section.Name, given));
            else
                sections.AddRange(given.SectionsOf(section.Name).Select(name => Of(section, name, given)));
        }

        return sections;
    }

    /// <summary>The text of a value that is no secret, for people: a webhook's path is its password.</summary>
    public static string WithoutPath(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is ("http" or "https")
            && (url.PathAndQuery.Length > 1 || url.UserInfo.Length > 0)
            ? $"{url.Scheme}://{url.Authority}/{Hidden}" : text;

    private static EffectiveSection Of(SchemaSection section, string name, GivenValues given) => new(
        name,
        [
            .. section.Keys.Select(key => given.Find(name, key.Name) is { IsSet: true } value
                ? new EffectiveValue(key.Name, key.IsSecret ? Hidden : WithoutPath(value.Text), value.Origin, key.IsSecret)
                : new EffectiveValue(key.Name, key.Default, default, key.IsSecret)),
        ]);
}
