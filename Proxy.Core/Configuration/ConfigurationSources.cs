using System.Collections;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration;

/// <summary>Everything that a configuration is made from; tests put in what they like.</summary>
internal sealed record ConfigurationSources
{
    /// <summary>The file of --config; null: searched for.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>The process's environment, or a part of it.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Arguments of the forms <c>--Section:Key=value</c> and <c>--Section:Key value</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Names of the selection policies: what the Mode keys allow.</summary>
    public required IReadOnlyList<string> ModeNames { get; init; }

    public IConfigurationFiles Files { get; init; } = DiskFiles.Instance;

    /// <summary>What is judged beyond its syntax. Default: everything.</summary>
    public ConfigurationParts Parts { get; init; } = ConfigurationParts.All;

    /// <summary>The files' texts as they were read before; null: they are read now.</summary>
    public IReadOnlyList<ConfigurationText>? Texts { get; init; }

    /// <summary>What the operator has changed since, over all other layers.</summary>
    public IReadOnlyList<WorkerChange> Changes { get; init; } = [];

    /// <summary>What relative paths outside a file are relative to.</summary>
    public string WorkingDirectory { get; init; } = Directory.GetCurrentDirectory();

    /// <summary>The sources of this process.</summary>
    /// <param name="configPath">Value of --config, or null.</param>
    /// <param name="arguments">The arguments that are left when the command's own options are taken away.</param>
    /// <param name="modeNames">Names of the selection policies.</param>
    /// <param name="parts">What is judged.</param>
    public static ConfigurationSources OfProcess(
        string? configPath, IReadOnlyList<string> arguments, IReadOnlyList<string> modeNames, ConfigurationParts parts)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            environment[(string)variable.Key] = (string?)variable.Value ?? "";
        return new ConfigurationSources
        {
            ConfigPath = configPath,
            Environment = environment,
            Arguments = arguments,
            ModeNames = modeNames,
            Parts = parts,
        };
    }
}
