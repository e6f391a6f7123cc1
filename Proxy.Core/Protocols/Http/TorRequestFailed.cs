using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// Tor-Request-Failed (spec.torproject.org/http-connect): tokens that say why there is no connection. tor's own has the END cell's reason
/// behind "end/" and Arti its kinds of error behind "arti/"; ours is the cause's word, and the reason as well where the worker's SOCKS
/// code stands for one alone.
/// </summary>
internal static class TorRequestFailed
{
    /// <summary>The field's value for a cause; ASCII, at least one token.</summary>
    public static string Of(FailureCause cause) =>
        EndReason(cause) is { } reason ? $"end/{reason} torbalancer/{cause.Word()}" : $"torbalancer/{cause.Word()}";

    /// <summary>As tor names it (stream_end_reason_to_string in its reasons.c); code 01 stands for six of them, so it tells none.</summary>
    private static string? EndReason(FailureCause cause) => cause switch
    {
        FailureCause.ExitPolicy => "EXITPOLICY",
        FailureCause.HostUnreachable => "RESOLVEFAILED",
        FailureCause.ConnectionRefused => "CONNECTREFUSED",
        FailureCause.TargetTimeout => "TIMEOUT",
        _ => null,
    };
}
