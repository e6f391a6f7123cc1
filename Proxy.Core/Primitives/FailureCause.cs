namespace TorBalancer.Primitives;

/// <summary>Whose fault a failure is. What it says of the worker is <see cref="FailureEvidence"/>.</summary>
public enum FailureSide : byte
{
    None,
    Client,
    Worker,
    Target,
    Internal,
}

/// <summary>Where in a connection's life it failed.</summary>
public enum FailureStage : byte
{
    None,
    Handshake,
    Route,
    Select,
    Dial,
    Tunnel,
}

/// <summary>What a failure says of the worker that it happened at.</summary>
public enum FailureEvidence : byte
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Perhaps something: counts half, and a canary decides.</summary>
    Ambiguous,

    /// <summary>It is the worker's own failure.</summary>
    Full,
}

/// <summary>Whether a failure may come from our own network, which would make all workers fail at once.</summary>
public enum UplinkSuspicion : byte
{
    /// <summary>No, or it is not held against the worker in full.</summary>
    None,

    /// <summary>Of a worker on another machine, which is reached by our network.</summary>
    WorkerElsewhere,

    /// <summary>Of any worker: where all say so at once it is not they.</summary>
    Any,
}

/// <summary>What a failure says of the circuit that a canary was to take.</summary>
public enum CircuitEvidence : byte
{
    /// <summary>Nothing: it was the circuit or what is behind it.</summary>
    None,

    /// <summary>It was found out at the circuit's far end, so the circuit works.</summary>
    Works,

    /// <summary>The worker could not be asked, or gave up by itself; what was asked for has no part in it.</summary>
    Fails,
}

/// <summary>Whether another worker may be tried before the client hears of the failure.</summary>
public enum RetryRule : byte
{
    /// <summary>The same answer is to be expected everywhere.</summary>
    Never,

    /// <summary>One more worker may be asked: another exit may see it differently.</summary>
    Once,

    /// <summary>As many workers as the attempts and the deadline allow.</summary>
    Always,
}

/// <summary>
/// Every way in which a connection can fail. The snake_case word of each (see <see cref="FailureCauses.Word"/>) is the
/// same in the log, the metrics, the API, <c>Proxy-Status</c> and <c>explain</c>, and is contract: never rename one.
/// </summary>
public enum FailureCause : byte
{
    None,

    // the client's side
    ClientClosed,
    HandshakeTimeout,
    BadRequest,

    /// <summary>A head, trailers or a request line that may be valid, but larger than is taken.</summary>
    RequestHeadTooLarge,
    ProtocolDisabled,
    AuthRequired,
    AuthFailed,

    /// <summary>So many passwords of the client were wrong that this one was not looked at.</summary>
    TooManyFailedLogins,
    BadUserParameters,
    UnsupportedCommand,
    UnsupportedAddress,
    ClientNotAllowed,

    /// <summary>A user asks for a mode, a worker or a country that it may not have.</summary>
    UserNotPermitted,

    // our side
    RouteRejected,

    /// <summary>A target of the asker's own machine or network, which no exit can reach.</summary>
    PrivateTarget,
    NoWorkerAvailable,

    /// <summary>Exits in a country that no worker has, up or down.</summary>
    CountryNotServed,
    TooManyConnections,

    /// <summary>New connections come faster than a limit allows.</summary>
    ConnectionRateExceeded,
    ConnectTimeout,
    ShuttingDown,

    /// <summary>Somebody asked the admin API to end the connection.</summary>
    ClosedByOperator,
    InternalError,
    OutOfDescriptors,

    /// <summary>The client's password could not be hashed in time, because too many others were waited for.</summary>
    LoginsOverloaded,

    // the worker itself
    WorkerRefused,
    WorkerUnreachable,
    WorkerTimeout,
    WorkerClosed,
    WorkerProtocol,
    WorkerAuthRejected,

    // what tor answered: REP 01-08 (RFC 1928, section 6)
    GeneralFailure,
    ExitPolicy,
    NetworkUnreachable,
    HostUnreachable,
    ConnectionRefused,
    TargetTimeout,
    CommandNotSupported,
    AddressTypeNotSupported,

    // what tor answered: F0-F7 (tor.1, ExtendedErrors)
    OnionNotFound,
    OnionDescriptorInvalid,
    OnionIntroFailed,
    OnionRendezvousFailed,
    OnionAuthMissing,
    OnionAuthWrong,
    OnionAddressInvalid,
    OnionIntroTimeout,

    // an answer of the target that is not HTTP, on the absolute-form path
    TargetProtocol,

    /// <summary>An answer whose head may be valid, but is larger than is taken.</summary>
    TargetHeadTooLarge,
    TargetClosed,

    // a stream over a WireGuard link that ended, or stayed silent, before its first byte: there is no other answer
    NoFirstByte,

    // this end of a worker's WireGuard link: its interface or our address on it is not there
    LinkDown,
}
