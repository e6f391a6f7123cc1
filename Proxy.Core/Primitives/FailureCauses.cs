using System.Collections.Frozen;

namespace TorBalancer.Primitives;

/// <summary>What is known of a cause: the one place that says its word, stage, side, retry rule and weight.</summary>
public readonly record struct FailureCauseInfo(string Word, FailureStage Stage, FailureSide Side, RetryRule Retry, FailureEvidence Evidence);

/// <summary>
/// The table of causes. Blame and retry follow tor's reasons.c (stream_end_reason_to_socks5_response): a refused port,
/// an unknown onion address or an exit policy is the target's or the exit's and never lowers a worker.
/// </summary>
public static class FailureCauses
{
    private static readonly FailureCauseInfo[] Table = BuildTable();

    private static readonly FrozenDictionary<string, FailureCause> ByWord =
        Enum.GetValues<FailureCause>().ToFrozenDictionary(cause => Table[(int)cause].Word, StringComparer.Ordinal);

    public static FailureCauseInfo Info(this FailureCause cause) => Table[(int)cause];

    /// <summary>The snake_case word that stands for the cause everywhere outside.</summary>
    public static string Word(this FailureCause cause) => Table[(int)cause].Word;

    public static bool TryParse(string word, out FailureCause cause) => ByWord.TryGetValue(word, out cause);

    private static FailureCauseInfo[] BuildTable()
    {
        var table = new FailureCauseInfo[Enum.GetValues<FailureCause>().Length];

        void Row(FailureCause cause, string word, FailureStage stage, FailureSide side, RetryRule retry, FailureEvidence evidence = FailureEvidence.None) =>
            table[(int)cause] = new FailureCauseInfo(word, stage, side, retry, evidence);

        Row(FailureCause.None, "ok", FailureStage.None, FailureSide.None, RetryRule.Never);

        Row(FailureCause.ClientClosed, "client_closed", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.HandshakeTimeout, "handshake_timeout", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.BadRequest, "bad_request", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.RequestHeadTooLarge, "request_head_too_large", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.ProtocolDisabled, "protocol_disabled", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.AuthRequired, "auth_required", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.AuthFailed, "auth_failed", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.BadUserParameters, "bad_user_parameters", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.UnsupportedCommand, "unsupported_command", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.UnsupportedAddress, "unsupported_address", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.ClientNotAllowed, "client_not_allowed", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);

        Row(FailureCause.RouteRejected, "route_rejected", FailureStage.Route, FailureSide.Internal, RetryRule.Never);
        Row(FailureCause.PrivateTarget, "private_target", FailureStage.Route, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.NoWorkerAvailable, "no_worker_available", FailureStage.Select, FailureSide.Internal, RetryRule.Never);
        Row(FailureCause.TooManyConnections, "too_many_connections", FailureStage.Handshake, FailureSide.Internal, RetryRule.Never);
        Row(FailureCause.ConnectTimeout, "connect_timeout", FailureStage.Dial, FailureSide.None, RetryRule.Always, FailureEvidence.Ambiguous);
        Row(FailureCause.ShuttingDown, "shutting_down", FailureStage.Dial, FailureSide.Internal, RetryRule.Never);
        Row(FailureCause.InternalError, "internal_error", FailureStage.Dial, FailureSide.Internal, RetryRule.Never);
        Row(FailureCause.OutOfDescriptors, "out_of_descriptors", FailureStage.Dial, FailureSide.Internal, RetryRule.Never);

        Row(FailureCause.WorkerRefused, "worker_refused", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);
        Row(FailureCause.WorkerUnreachable, "worker_unreachable", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);
        Row(FailureCause.WorkerTimeout, "worker_timeout", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);
        Row(FailureCause.WorkerClosed, "worker_closed", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);
        Row(FailureCause.WorkerProtocol, "worker_protocol", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);
        Row(FailureCause.WorkerAuthRejected, "worker_auth_rejected", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);

        // A circuit that broke; but also a closed port, which exits report as MISC (measured on tor 0.4.9), and a port that no
        // exit takes. Whoever asks for such targets must not be able to take every worker out of service.
        Row(FailureCause.GeneralFailure, "general_failure", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Ambiguous);
        Row(FailureCause.ExitPolicy, "exit_policy", FailureStage.Dial, FailureSide.Target, RetryRule.Once);
        Row(FailureCause.NetworkUnreachable, "network_unreachable", FailureStage.Dial, FailureSide.Target, RetryRule.Always, FailureEvidence.Ambiguous);
        Row(FailureCause.HostUnreachable, "host_unreachable", FailureStage.Dial, FailureSide.Target, RetryRule.Once);
        Row(FailureCause.ConnectionRefused, "connection_refused", FailureStage.Dial, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.TargetTimeout, "target_timeout", FailureStage.Dial, FailureSide.Target, RetryRule.Always, FailureEvidence.Ambiguous);
        Row(FailureCause.CommandNotSupported, "command_not_supported", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);
        Row(FailureCause.AddressTypeNotSupported, "address_type_not_supported", FailureStage.Dial, FailureSide.Target, RetryRule.Once);

        Row(FailureCause.OnionNotFound, "onion_not_found", FailureStage.Dial, FailureSide.Target, RetryRule.Once);
        Row(FailureCause.OnionDescriptorInvalid, "onion_descriptor_invalid", FailureStage.Dial, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.OnionIntroFailed, "onion_intro_failed", FailureStage.Dial, FailureSide.Target, RetryRule.Once, FailureEvidence.Ambiguous);
        Row(FailureCause.OnionRendezvousFailed, "onion_rendezvous_failed", FailureStage.Dial, FailureSide.Target, RetryRule.Once, FailureEvidence.Ambiguous);
        Row(FailureCause.OnionAuthMissing, "onion_auth_missing", FailureStage.Dial, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.OnionAuthWrong, "onion_auth_wrong", FailureStage.Dial, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.OnionAddressInvalid, "onion_address_invalid", FailureStage.Dial, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.OnionIntroTimeout, "onion_intro_timeout", FailureStage.Dial, FailureSide.Target, RetryRule.Once, FailureEvidence.Ambiguous);

        Row(FailureCause.TargetProtocol, "target_protocol", FailureStage.Tunnel, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.TargetHeadTooLarge, "target_head_too_large", FailureStage.Tunnel, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.TargetClosed, "target_closed", FailureStage.Tunnel, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.LinkDown, "link_down", FailureStage.Dial, FailureSide.Worker, RetryRule.Always, FailureEvidence.Full);
        Row(FailureCause.NoFirstByte, "no_first_byte", FailureStage.Tunnel, FailureSide.Target, RetryRule.Never, FailureEvidence.Ambiguous);
        return table;
    }
}
