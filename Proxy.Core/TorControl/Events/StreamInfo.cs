using System.Globalization;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>StreamStatus of control-spec.</summary>
internal enum StreamStatus : byte
{
    /// <summary>One that we do not know; see <see cref="StreamInfo.StatusText"/>.</summary>
    Unknown,
    New,
    NewResolve,
    Remap,
    SentConnect,
    SentResolve,
    Succeeded,

    /// <summary>Ended before it was open.</summary>
    Failed,

    /// <summary>Ended after it was open.</summary>
    Closed,

    /// <summary>Taken off its circuit; tor tries another one.</summary>
    Detached,
    ControllerWait,
    XoffSent,
    XoffReceived,
    XonSent,
    XonReceived,
}

/// <summary>A stream as STREAM and the lines of <c>GETINFO stream-status</c> describe it.</summary>
internal sealed class StreamInfo
{
    private StreamInfo(string id, string status, string circuitId, string target, ControlKeywords keywords)
    {
        Id = id;
        StatusText = status;
        CircuitId = circuitId == "0" ? null : circuitId;
        Target = target;
        Keywords = keywords;
    }

    public string Id { get; }

    public string StatusText { get; }

    public StreamStatus Status => StatusText switch
    {
        "NEW" => StreamStatus.New,
        "NEWRESOLVE" => StreamStatus.NewResolve,
        "REMAP" => StreamStatus.Remap,
        "SENTCONNECT" => StreamStatus.SentConnect,
        "SENTRESOLVE" => StreamStatus.SentResolve,
        "SUCCEEDED" => StreamStatus.Succeeded,
        "FAILED" => StreamStatus.Failed,
        "CLOSED" => StreamStatus.Closed,
        "DETACHED" => StreamStatus.Detached,
        "CONTROLLER_WAIT" => StreamStatus.ControllerWait,
        "XOFF_SENT" => StreamStatus.XoffSent,
        "XOFF_RECV" => StreamStatus.XoffReceived,
        "XON_SENT" => StreamStatus.XonSent,
        "XON_RECV" => StreamStatus.XonReceived,
        _ => StreamStatus.Unknown,
    };

    /// <summary>The circuit that carries it, of a conflux set one leg; null while there is none.</summary>
    public string? CircuitId { get; }

    /// <summary><c>host:port</c>, an IPv6 address in brackets.</summary>
    public string Target { get; }

    public string TargetHost => Target.LastIndexOf(':') is >= 0 and var colon ? Target[..colon] : Target;

    /// <summary>END, DESTROY, TIMEOUT, EXITPOLICY, CANT_ATTACH, …; END: see <see cref="RemoteReason"/>.</summary>
    public string? Reason => Keywords["REASON"];

    /// <summary>What the exit said when it ended the stream: RESOLVEFAILED, CONNECTREFUSED, MISC, …</summary>
    public string? RemoteReason => Keywords["REMOTE_REASON"];

    /// <summary>REMAP only: CACHE or EXIT.</summary>
    public string? Source => Keywords["SOURCE"];

    /// <summary>Address and port of the SOCKS client, on NEW only; <c>path:0</c> on a unix socket.</summary>
    public string? SourceAddress => Keywords["SOURCE_ADDR"];

    /// <summary>Port of the SOCKS client: the join to our own connection; null when it is not known or a unix socket.</summary>
    public int? SourcePort => SourceAddress is { } address && PortOf(address) is > 0 and var port ? port : null;

    /// <summary>USER, DIR_FETCH, DNS_REQUEST, …</summary>
    public string? Purpose => Keywords["PURPOSE"];

    /// <summary>Bytes mapped to Latin-1.</summary>
    public string? SocksPassword => Keywords["SOCKS_PASSWORD"];

    public ControlKeywords Keywords { get; }

    /// <summary>Reads <c>id status circuit target *(KEY=value)</c>; null when one of the four is missing.</summary>
    public static StreamInfo? TryParse(string text)
    {
        var tokens = new ControlTokens(text);
        return tokens.TryWord(out string id)
            && tokens.TryWord(out string status)
            && tokens.TryWord(out string circuit)
            && tokens.TryWord(out string target)
            ? new StreamInfo(id, status, circuit, target, tokens.Keywords())
            : null;
    }

    private static int? PortOf(string address)
        => ushort.TryParse(address.AsSpan(address.LastIndexOf(':') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)
            ? port
            : null;
}

/// <summary>STREAM: a stream changed its status.</summary>
internal sealed class StreamEvent(StreamInfo stream) : ControlEvent("STREAM", stream.Keywords)
{
    public StreamInfo Stream { get; } = stream;
}
