using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using TorBalancer.Admin;
using TorBalancer.Admin.Explain;
using TorBalancer.Admin.Reload;

namespace TorBalancer.Daemon.Admin;

/// <summary>An error answer (RFC 9457).</summary>
/// <param name="Title">The status in words.</param>
/// <param name="Status">The status.</param>
/// <param name="Detail">What is wrong and what is allowed.</param>
internal sealed record ProblemView(string Title, int Status, string Detail)
{
    /// <summary>The member of the body that is meant, or null.</summary>
    public string? Field { get; init; }

    /// <summary>The words that are allowed, where it is a choice.</summary>
    public IReadOnlyList<string>? Allowed { get; init; }

    /// <summary>What is wrong with a configuration, or null.</summary>
    public IReadOnlyList<IssueView>? Errors { get; init; }
}

/// <summary>How the API's records are written; generated at build time, because trimming leaves no reflection.</summary>
[JsonSerializable(typeof(HealthView))]
[JsonSerializable(typeof(WorkersView))]
[JsonSerializable(typeof(WorkerView))]
[JsonSerializable(typeof(ConnectionsView))]
[JsonSerializable(typeof(SessionsView))]
[JsonSerializable(typeof(UsersView))]
[JsonSerializable(typeof(RotationView))]
[JsonSerializable(typeof(ExplainView))]
[JsonSerializable(typeof(ConnectionDetailView))]
[JsonSerializable(typeof(BlacklistedRelaysView))]
[JsonSerializable(typeof(BlacklistRemovalView))]
[JsonSerializable(typeof(ConfigView))]
[JsonSerializable(typeof(ReloadView))]
[JsonSerializable(typeof(ProblemView))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class AdminJson : JsonSerializerContext
{
    /// <summary>snake_case, nulls left out. Bodies of web pages stay readable: the answers are never part of a page.</summary>
    public static AdminJson Instance { get; } = new(NewOptions());

    /// <summary>The same manners for what other parts of this program tell; each context takes an instance of its own.</summary>
    public static JsonSerializerOptions NewOptions(bool isIndented = false) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = isIndented,
    };
}
