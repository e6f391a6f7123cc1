using System.Text.Json;

namespace TorBalancer.Admin.Fetch;

/// <summary>What POST /api/v1/fetch asks for, checked.</summary>
internal sealed record FetchRequest
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Absolute, http or https.</summary>
    public required Uri Url { get; init; }

    /// <summary>A balancing mode; null: sticky when there is a sticky key, else the pool's.</summary>
    public string? Mode { get; init; }

    /// <summary>Fetches with the same key share worker and circuits; null: none.</summary>
    public string? StickyKey { get; init; }

    /// <summary>For all of it: every hop, every attempt, the body. Default 30 s, 1 s to 10 min.</summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    public bool FollowRedirects { get; init; } = true;

    /// <summary>Sent as given, in this order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Bytes that it takes, with what is made of it on the way to the target.</summary>
    public long Memory => 4L * (Url.OriginalString.Length + Headers.Sum(static header => header.Key.Length + header.Value.Length));
}

/// <summary>Why a request was not understood.</summary>
/// <param name="Field">The member, as in "headers.Host"; null when it is about the whole body.</param>
/// <param name="Detail">One sentence: what was found and what is allowed.</param>
/// <param name="Allowed">The words that are allowed, where it is a choice.</param>
internal sealed record FieldProblem(string? Field, string Detail, IReadOnlyList<string>? Allowed = null)
{
    /// <summary>What stands there instead of what is allowed, in words.</summary>
    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };
}
