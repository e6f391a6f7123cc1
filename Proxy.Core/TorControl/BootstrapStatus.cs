using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl;

/// <summary>
/// How far a tor has come in its start, from <c>GETINFO status/bootstrap-phase</c> or an event <c>STATUS_CLIENT …
/// BOOTSTRAP</c>: both hold the same text.
/// </summary>
/// <param name="Progress">Percent, 0 to 100. At 100 it can carry streams.</param>
/// <param name="Tag">The phase's word, for example <c>conn_done</c>.</param>
/// <param name="Summary">The phase in words.</param>
internal sealed record BootstrapStatus(int Progress, string Tag, string Summary)
{
    /// <summary>Before tor has said anything.</summary>
    public static readonly BootstrapStatus None = new(0, "starting", "Starting");

    /// <summary>True when it can carry streams.</summary>
    public bool IsDone => Progress >= 100;

    /// <summary>What went wrong last, in words; null when nothing did.</summary>
    public string? Warning { get; init; }

    /// <summary>Why, as a word (NOROUTE, TIMEOUT, …); null without a warning.</summary>
    public string? Reason { get; init; }

    /// <summary>Problems so far; 0 without a warning.</summary>
    public int Count { get; init; }

    /// <summary><c>ignore</c> or <c>warn</c>: whether tor thinks that the user should hear of it; null without a warning.</summary>
    public string? Recommendation { get; init; }

    /// <summary>The relay with which it went wrong: its fingerprint; null when tor does not say.</summary>
    public string? HostId { get; init; }

    /// <summary>The relay with which it went wrong: its address and port; null when tor does not say.</summary>
    public string? HostAddress { get; init; }

    /// <summary>Reason and relay of the warning as " (REASON, address)", as far as tor says them; empty when it says neither.</summary>
    public string Where => (Reason, HostAddress) switch
    {
        (null, null) => "",
        (null, _) => $" ({HostAddress})",
        (_, null) => $" ({Reason})",
        _ => $" ({Reason}, {HostAddress})",
    };

    /// <summary>Reads <c>NOTICE BOOTSTRAP PROGRESS=85 TAG=… SUMMARY="…"</c>; null when it is something else.</summary>
    public static BootstrapStatus? Parse(string text) =>
        StatusEvent.TryParse("STATUS_CLIENT", text) is { } status ? FromEvent(status) : null;

    /// <summary>The status that an event carries; null when it is another event.</summary>
    public static BootstrapStatus? FromEvent(StatusEvent status)
    {
        var keys = status.Keywords;
        if (status.Action != "BOOTSTRAP" || keys.Integer("PROGRESS") is not (>= 0 and <= 100 and long progress))
            return null;
        return new BootstrapStatus((int)progress, keys["TAG"] ?? "", keys["SUMMARY"] ?? "")
        {
            Warning = keys["WARNING"],
            Reason = keys["REASON"],
            Count = (int)Math.Clamp(keys.Integer("COUNT") ?? 0, 0, int.MaxValue),
            Recommendation = keys["RECOMMENDATION"],
            HostId = keys["HOSTID"],
            HostAddress = keys["HOSTADDR"],
        };
    }
}
