using TorBalancer.Configuration;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Admin;

/// <summary>One key of the configuration.</summary>
internal sealed record ConfigValueView
{
    public required string Key { get; init; }

    /// <summary>As it is written; (hidden) for a secret that is set.</summary>
    public required string Value { get; init; }

    /// <summary>file:line, "environment variable X", "command line" or "built-in defaults".</summary>
    public required string Origin { get; init; }

    /// <summary>True when no layer gives the key a value.</summary>
    public required bool Default { get; init; }

    /// <summary>True for a password and the like.</summary>
    public required bool Secret { get; init; }
}

/// <summary>One section of the configuration.</summary>
internal sealed record ConfigSectionView(string Section, IReadOnlyList<ConfigValueView> Values);

/// <summary>GET /api/v1/config: what holds, in the order of torbalancer.conf.</summary>
/// <param name="Source">The file's path, or "built-in defaults".</param>
/// <param name="Sections">Those of which there are many only where they are configured.</param>
internal sealed record ConfigView(string Source, IReadOnlyList<ConfigSectionView> Sections)
{
    public static ConfigView From(ConfigurationResult configuration) => new(
        configuration.Source,
        [
            .. configuration.Effective.Select(static section => new ConfigSectionView(
                section.Name,
                [
                    .. section.Values.Select(static value => new ConfigValueView
                    {
                        Key = value.Key,
                        Value = value.Text,
                        Origin = value.Origin.ToString(),
                        Default = value.Origin.Layer == ConfigurationLayer.Defaults,
                        Secret = value.IsSecret,
                    }),
                ])),
        ]);
}
