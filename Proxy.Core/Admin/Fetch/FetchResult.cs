using TorBalancer.Server;

namespace TorBalancer.Admin.Fetch;

/// <summary>
/// The answer to POST /api/v1/fetch. Member names in JSON are these in snake_case and are contract; null members are left out.
/// </summary>
internal sealed record FetchResult : IDisposable
{
    /// <summary>True when the target answered, whatever its status.</summary>
    public required bool Success { get; init; }

    /// <summary>The worker that carried the last hop, or that was tried last.</summary>
    public string? Worker { get; init; }

    public int? StatusCode { get; init; }

    /// <summary>Where the answer came from: after redirects another URL than was asked for.</summary>
    public string? Url { get; init; }

    /// <summary>How many redirects were followed.</summary>
    public int Redirects { get; init; }

    /// <summary>Names in lower case; repeated fields joined with ", ", except set-cookie, which is always an array.</summary>
    public IReadOnlyList<FetchField>? Headers { get; init; }

    /// <summary>
    /// With its form (body_encoding), whether it was cut (truncated) and the codings that it still has (content_encoding).
    /// </summary>
    public FetchBody? Body { get; init; }

    /// <summary>True when the other fetches held the memory that it needed until its time was over. The same may work later.</summary>
    public bool IsShortOfMemory { get; init; }

    public FetchError? Error { get; init; }

    public required FetchTiming Timing { get; init; }

    /// <summary>Told when the result is disposed: only then there is something to give back.</summary>
    public MemoryTrim? Trim { get; init; }

    /// <summary>Gives the memory of the body back.</summary>
    public void Dispose()
    {
        Body?.Dispose();
        Trim?.Touch();
    }
}

/// <param name="Cause">The word for it, the same as in the log and in Proxy-Status.</param>
/// <param name="Message">One or two sentences for people.</param>
internal sealed record FetchError(string Cause, string Message);

/// <param name="DnsMs">Time for looking up names: always 0, because names travel to the worker and its exit.</param>
/// <param name="ConnectMs">From choosing a worker to its answer, over all hops; TLS not included.</param>
/// <param name="TotalMs">All of it.</param>
internal sealed record FetchTiming(long DnsMs, long ConnectMs, long TotalMs);
