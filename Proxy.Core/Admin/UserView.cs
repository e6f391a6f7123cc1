namespace TorBalancer.Admin;

/// <summary>All users that are configured or have connected: GET /api/v1/users.</summary>
internal sealed record UsersView(IReadOnlyList<UserView> Users);

/// <summary>One user, on all listeners together. Member names in JSON are these in snake_case and are contract.</summary>
internal sealed record UserView
{
    public required string Name { get; init; }

    /// <summary>Connections that there are.</summary>
    public required int Active { get; init; }

    /// <summary>Connections that were let in since the start.</summary>
    public required long Connections { get; init; }

    public required long BytesSent { get; init; }

    public required long BytesReceived { get; init; }

    /// <summary>Connections that were refused since the start.</summary>
    public required UserRefusalsView Refused { get; init; }

    /// <summary>What its own section says; null: it has none.</summary>
    public UserLimitsView? Limits { get; init; }
}

/// <summary>Connections of a user that were refused, by the limit.</summary>
internal sealed record UserRefusalsView(long MaxConnectionsPerUser, long ConnectionRatePerUser);

/// <summary>What [User:name] says; null where it says nothing and the listener's limits hold.</summary>
internal sealed record UserLimitsView
{
    /// <summary>0: no limit.</summary>
    public int? MaxConnections { get; init; }

    /// <summary>As it is written, with its burst; off: no limit.</summary>
    public string? ConnectionRate { get; init; }

    /// <summary>Bytes a second; 0: no limit.</summary>
    public long? Bandwidth { get; init; }

    /// <summary>Empty: all.</summary>
    public required IReadOnlyList<string> Modes { get; init; }

    /// <inheritdoc cref="Modes"/>
    public required IReadOnlyList<string> Workers { get; init; }

    /// <inheritdoc cref="Modes"/>
    public required IReadOnlyList<string> Countries { get; init; }
}
