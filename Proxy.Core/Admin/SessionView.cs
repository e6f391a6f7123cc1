namespace TorBalancer.Admin;

/// <summary>One session.</summary>
/// <param name="Id">Names it in commands; gone with a restart.</param>
/// <param name="Name">As in session-NAME; null unless targets are shown.</param>
/// <param name="Worker">The worker that carried its latest connection; null before the first.</param>
/// <param name="AgeMs">Since its circuit was first asked for, milliseconds.</param>
/// <param name="IdleMs">Since its latest connection, milliseconds.</param>
/// <param name="Uses">Connections since its circuit was first asked for.</param>
/// <param name="ExpiresMs">Until its life-time is over; 0: it is; null: it has none.</param>
/// <param name="UsesLeft">Connections until its count is over; null: it has none.</param>
internal sealed record SessionView(string Id, string? Name, string? Worker, long AgeMs, long IdleMs, int Uses, long? ExpiresMs, int? UsesLeft);

/// <summary>GET /api/v1/sessions, the most recently used first.</summary>
internal sealed record SessionsView(IReadOnlyList<SessionView> Sessions);

/// <summary>The answer to a rotation.</summary>
/// <param name="Rotated">How many sessions it concerned.</param>
internal sealed record RotationView(int Rotated);
