namespace TorBalancer.Protocols;

/// <summary>
/// What a client asked for through its user name (or password): <c>session-abc-mode-failover</c>. Null members were
/// not asked for.
/// </summary>
internal sealed record UserParameters
{
    public static UserParameters None { get; } = new();

    /// <summary>
    /// Of credentials that name no user and ask for nothing: they only keep circuits apart (spec.torproject.org/http-connect,
    /// "Proxy-Authorization").
    /// </summary>
    public static UserParameters IsolationOnly { get; } = new() { IsIsolationOnly = true };

    /// <inheritdoc cref="IsolationOnly"/>
    public bool IsIsolationOnly { get; private init; }

    /// <summary>The user's own name in front of the parameters; empty where there is none.</summary>
    public string BaseUser { get; init; } = "";

    /// <summary>The configured user that the credentials have proved to be; null: none.</summary>
    public string? KnownUser { get; init; }

    /// <summary>Pins worker and circuit: everything with the same session shares both.</summary>
    public string? Session { get; init; }

    /// <summary>True when the listener makes it a session and nobody asked for one, nor for the mode that a session brings.</summary>
    public bool IsSessionImplied { get; init; }

    /// <summary>The port whose session it is; null: it is that of a name, or none.</summary>
    public int? Port { get; init; }

    /// <summary>How long a session keeps its circuit; then it gets a new one.</summary>
    public TimeSpan? SessionLifetime { get; init; }

    /// <summary>How many connections a session's circuit carries before it gets a new one.</summary>
    public int? RotateAfterUses { get; init; }

    /// <summary>The balancing mode of this connection.</summary>
    public string? Mode { get; init; }

    /// <summary>The id of the only worker that may carry this connection.</summary>
    public string? Worker { get; init; }

    /// <summary>Only workers whose Country is this.</summary>
    public string? Country { get; init; }

    /// <summary>How much of the password stands in front of its parameters; null: it holds none, and all of it is secret.</summary>
    public int? SecretLength { get; init; }

    /// <summary>The password without parameters: what they are does not make another owner of it.</summary>
    public string SecretOf(ClientCredentials? credentials) =>
        credentials is null ? "" : SecretLength is { } length ? credentials.Password[..length] : credentials.Password;

    public bool IsEmpty => Session is null && Mode is null && Worker is null && Country is null;
}
