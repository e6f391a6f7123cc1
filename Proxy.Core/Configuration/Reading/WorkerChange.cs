namespace TorBalancer.Configuration.Reading;

/// <summary>What the operator has changed of the workers while the daemon runs; it lasts until the configuration is read again.</summary>
/// <param name="Id">The worker.</param>
/// <param name="Given">Keys of its section with their values, over what is given elsewhere; null: it is taken out.</param>
internal sealed record WorkerChange(string Id, IReadOnlyList<KeyValuePair<string, string>>? Given)
{
    public bool IsRemoved => Given is null;

    /// <summary>It is DNS that says so, not the operator.</summary>
    public bool IsDiscovered { get; init; }

    /// <summary>What is given; nothing for one that is taken out.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Keys => Given ?? [];

    /// <summary>True when it is about that worker.</summary>
    public bool IsOf(string id) => Id.Equals(id, StringComparison.OrdinalIgnoreCase);

    /// <summary>Without the values, which may be passwords.</summary>
    public override string ToString() => $"[Worker:{Id}] {(IsRemoved ? "removed" : string.Join(", ", Keys.Select(static key => key.Key)))}";
}
