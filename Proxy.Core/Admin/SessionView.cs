namespace TorBalancer.Admin;

/// <summary>One session. Member names in JSON are these in snake_case and are contract.</summary>
internal sealed record SessionView
{
    /// <summary>Names it in commands; gone with a restart.</summary>
    public required string Id { get; init; }

    /// <summary>As in session-NAME; null unless targets are shown.</summary>
    public required string? Name { get; init; }

    /// <summary>The listener's port whose session it is; null: it is that of a name.</summary>
    public required int? Port { get; init; }

    /// <summary>The worker that carried its latest connection; null before the first.</summary>
    public required string? Worker { get; init; }

    /// <summary>Since its circuit was first asked for, milliseconds.</summary>
    public required long AgeMs { get; init; }

    /// <summary>Since its latest connection, milliseconds.</summary>
    public required long IdleMs { get; init; }

    /// <summary>Connections since its circuit was first asked for.</summary>
    public required int Uses { get; init; }

    /// <summary>Until its life-time is over; 0: it is; null: it has none.</summary>
    public required long? ExpiresMs { get; init; }

    /// <summary>Connections until its count is over; null: it has none.</summary>
    public required int? UsesLeft { get; init; }
}

/// <summary>GET /api/v1/sessions, the most recently used first.</summary>
internal sealed record SessionsView(IReadOnlyList<SessionView> Sessions);

/// <summary>The answer to a rotation.</summary>
/// <param name="Rotated">How many sessions it concerned.</param>
internal sealed record RotationView(int Rotated);
