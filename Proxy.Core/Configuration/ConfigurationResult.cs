using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Configuration;

/// <summary>What became of a configuration.</summary>
internal sealed class ConfigurationResult
{
    /// <summary>Complete and valid when there are no <see cref="Errors"/>; otherwise what could be understood.</summary>
    public required TorBalancerOptions Options { get; init; }

    /// <summary>What sections and keys there are.</summary>
    public required ConfigurationSchema Schema { get; init; }

    /// <summary>What the options were made from: each value with its origin.</summary>
    public required GivenValues Given { get; init; }

    /// <summary>The files that were read, in that order.</summary>
    public required IReadOnlyList<ConfigurationText> Texts { get; init; }

    /// <summary>Each keeps the daemon from starting.</summary>
    public required IReadOnlyList<ConfigurationIssue> Errors { get; init; }

    /// <summary>Each is worth a line in the log.</summary>
    public required IReadOnlyList<ConfigurationIssue> Warnings { get; init; }

    /// <summary>The file that was read, or was to be read; null: none, the built-in defaults.</summary>
    public required string? FilePath { get; init; }

    /// <summary>Every value that holds, with its origin; secrets hidden.</summary>
    public IReadOnlyList<EffectiveSection> Effective => EffectiveConfiguration.Of(Schema, Given);

    /// <summary>True when an argument was no override at all: the command was called wrongly.</summary>
    public required bool HasUsageErrors { get; init; }

    public bool IsValid => Errors.Count == 0;

    /// <summary>For people: the file's path, or "built-in defaults".</summary>
    public string Source => FilePath ?? "built-in defaults";
}
