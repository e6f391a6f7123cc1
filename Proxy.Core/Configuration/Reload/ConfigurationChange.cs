using TorBalancer.Configuration.Schema;

namespace TorBalancer.Configuration.Reload;

/// <summary>One key that two configurations have differently. Never holds a secret.</summary>
/// <param name="Section">"Balancing" or "Worker:w1".</param>
/// <param name="Key">The key, or <see cref="Order"/>.</param>
/// <param name="Old">What it had; null: there was no such section.</param>
/// <param name="New">What it has; null: there is no such section any more.</param>
/// <param name="NeedsRestart">See <see cref="SchemaKey.NeedsRestart"/>.</param>
internal sealed record ConfigurationChange(string Section, string Key, string? Old, string? New, bool NeedsRestart)
{
    /// <summary>Stands for the order of the sections of one kind, where that means something.</summary>
    public const string Order = "(order)";

    /// <summary>As in the log: <c>[Balancing] Mode: round_robin -> random</c>.</summary>
    public override string ToString() => $"[{Section}] {Key}: {Shown(Old)} -> {Shown(New)}";

    private static string Shown(string? value) => value switch { null => "(none)", "" => "(empty)", _ => value };
}
