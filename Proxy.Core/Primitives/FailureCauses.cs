
namespace TorBalancer.Primitives;

/// <summary>What is known of a cause: everything that anybody asks of one, but for the codes that clients are answered with.</summary>
/// <param name="Word">The snake_case word that stands for it outside.</param>
/// <param name="Stage">Where in a connection's life it happens.</param>
/// <param name="Side">Whose fault it is.</param>
/// <param name="Retry">Whether another worker may be tried.</param>
public sealed record FailureCauseInfo(string Word, FailureStage Stage, FailureSide Side, RetryRule Retry)
{
    /// <summary>What it says of the worker.</summary>
    public FailureEvidence Evidence { get; init; }

    /// <summary>The worker could not even be asked, and a moment later would be no better: the next picks prefer others.</summary>
    public bool PassesOver { get; init; }

    /// <summary>Whether our own network being down may be behind it. Asked only where <see cref="Evidence"/> is full.</summary>
    public UplinkSuspicion Uplink { get; init; }

    /// <summary>What it proves of the worker's process or host, beyond that a connection failed.</summary>
    public GoneProof Proof { get; init; }

    /// <summary>What it says of the worker's circuits when a canary meets it.</summary>
    public CircuitEvidence Circuit { get; init; }

    /// <summary>So answers, among others, a SOCKS server that takes no user and password: without them it may do.</summary>
    public bool MayRefuseToken { get; init; }
}

/// <summary>
/// The table of causes. Blame and retry follow tor's reasons.c (stream_end_reason_to_socks5_response): a refused port,
/// an unknown onion address or an exit policy is the target's or the exit's and never lowers a worker.
/// </summary>
public static class FailureCauses
{
    private static readonly FailureCauseInfo[] Table = BuildTable();

    /// <summary>How many there are, success included.</summary>
    public static int Count => Table.Length;

    public static FailureCauseInfo Info(this FailureCause cause) => Table[(int)cause];

    /// <summary>The snake_case word that stands for the cause everywhere outside.</summary>
    public static string Word(this FailureCause cause) => Table[(int)cause].Word;

    private static FailureCauseInfo[] BuildTable()
    {
        var table = new FailureCauseInfo[Enum.GetValues<FailureCause>().Length];

        void Row(FailureCause cause, string word, FailureCauseInfo info) => table[(int)cause] = info with { Word = word };

        Row(FailureCause.None, "ok", new("", FailureStage.None, FailureSide.None, RetryRule.Never));

        var client = new FailureCauseInfo("", FailureStage.Handshake, FailureSide.Client, RetryRule.Never);
        Row(FailureCause.ClientClosed, "client_closed", client);
        Row(FailureCause.HandshakeTimeout, "handshake_timeout", client);
        Row(FailureCause.BadRequest, "bad_request", client);
        Row(FailureCause.RequestHeadTooLarge, "request_head_too_large", client);
        Row(FailureCause.ProtocolDisabled, "protocol_disabled", client);
        Row(FailureCause.AuthRequired, "auth_required", client);
        Row(FailureCause.AuthFailed, "auth_failed", client);
        Row(FailureCause.TooManyFailedLogins, "too_many_failed_logins", client);
        Row(FailureCause.BadUserParameters, "bad_user_parameters", client);
        Row(FailureCause.UnsupportedCommand, "unsupported_command", client);
        Row(FailureCause.UnsupportedAddress, "unsupported_address", client);
        Row(FailureCause.ClientNotAllowed, "client_not_allowed", client);
        Row(FailureCause.UserNotPermitted, "user_not_permitted", client with { Stage = FailureStage.Route });

        var ours = new FailureCauseInfo("", FailureStage.Dial, FailureSide.Internal, RetryRule.Never);
        Row(FailureCause.RouteRejected, "route_rejected", ours with { Stage = FailureStage.Route });
        Row(FailureCause.PrivateTarget, "private_target", ours with { Stage = FailureStage.Route, Side = FailureSide.Target });
        Row(FailureCause.NoWorkerAvailable, "no_worker_available", ours with { Stage = FailureStage.Select });
        Row(FailureCause.CountryNotServed, "country_not_served", ours with { Stage = FailureStage.Select, Side = FailureSide.Client });
        Row(FailureCause.TooManyConnections, "too_many_connections", ours with { Stage = FailureStage.Handshake });
        Row(FailureCause.LoginsOverloaded, "logins_overloaded", ours with { Stage = FailureStage.Handshake });
        Row(
            FailureCause.ConnectionRateExceeded, "connection_rate_exceeded",
            ours with { Stage = FailureStage.Handshake, Side = FailureSide.Client });
        Row(FailureCause.ShuttingDown, "shutting_down", ours);
        Row(FailureCause.ClosedByOperator, "closed_by_operator", ours);
        Row(FailureCause.InternalError, "internal_error", ours);
        Row(FailureCause.OutOfDescriptors, "out_of_descriptors", ours);

        // The worker could not even be asked: the same would happen at any target, and it happens at no other worker.
        var notAsked = new FailureCauseInfo("", FailureStage.Dial, FailureSide.Worker, RetryRule.Always)
        {
            Evidence = FailureEvidence.Full,
            PassesOver = true,
            Circuit = CircuitEvidence.Fails,
        };
        Row(FailureCause.LinkDown, "link_down", notAsked with { Proof = GoneProof.LinkDown });
        Row(FailureCause.WorkerRefused, "worker_refused", notAsked with { Proof = GoneProof.Refused });
        Row(FailureCause.WorkerProtocol, "worker_protocol", notAsked);
        Row(FailureCause.WorkerAuthRejected, "worker_auth_rejected", notAsked with { MayRefuseToken = true });
        var notReached = notAsked with { Uplink = UplinkSuspicion.WorkerElsewhere };
        Row(FailureCause.WorkerUnreachable, "worker_unreachable", notReached with { Proof = GoneProof.Unreachable });
        Row(FailureCause.WorkerTimeout, "worker_timeout", notReached);
        Row(FailureCause.WorkerClosed, "worker_closed", notReached with { MayRefuseToken = true });

        // It was asked and says no. Where all of them do, what was asked for is to blame: nobody is declared dead for it.
        Row(FailureCause.CommandNotSupported, "command_not_supported", notAsked with { PassesOver = false, Uplink = UplinkSuspicion.Any });

        // Found out at the far end of a circuit. Another exit may have another policy, another resolver or another network.
        var farEnd = new FailureCauseInfo("", FailureStage.Dial, FailureSide.Target, RetryRule.Never) { Circuit = CircuitEvidence.Works };
        Row(FailureCause.ExitPolicy, "exit_policy", farEnd with { Retry = RetryRule.Once });
        Row(FailureCause.HostUnreachable, "host_unreachable", farEnd with { Retry = RetryRule.Once });
        Row(FailureCause.ConnectionRefused, "connection_refused", farEnd);
        Row(FailureCause.OnionNotFound, "onion_not_found", farEnd with { Retry = RetryRule.Once });
        Row(FailureCause.OnionDescriptorInvalid, "onion_descriptor_invalid", farEnd);
        Row(FailureCause.OnionAuthMissing, "onion_auth_missing", farEnd);
        Row(FailureCause.OnionAuthWrong, "onion_auth_wrong", farEnd);

        // The circuit or what is behind it: nobody knows.
        var between = new FailureCauseInfo("", FailureStage.Dial, FailureSide.Target, RetryRule.Always)
        {
            Evidence = FailureEvidence.Ambiguous,
        };
        Row(FailureCause.ConnectTimeout, "connect_timeout", between with { Side = FailureSide.None });
        Row(FailureCause.NetworkUnreachable, "network_unreachable", between);
        Row(FailureCause.TargetTimeout, "target_timeout", between);
        Row(FailureCause.OnionIntroFailed, "onion_intro_failed", between with { Retry = RetryRule.Once });
        Row(FailureCause.OnionRendezvousFailed, "onion_rendezvous_failed", between with { Retry = RetryRule.Once });
        Row(FailureCause.OnionIntroTimeout, "onion_intro_timeout", between with { Retry = RetryRule.Once });
        Row(FailureCause.NoFirstByte, "no_first_byte", between with { Stage = FailureStage.Tunnel, Retry = RetryRule.Never });

        // A circuit that broke; but also a closed port, which exits report as MISC (measured on tor 0.4.9), and a port that no
        // exit takes. Whoever asks for such targets must not be able to take every worker out of service.
        Row(FailureCause.GeneralFailure, "general_failure", between with { Side = FailureSide.Worker, Circuit = CircuitEvidence.Fails });

        var kind = new FailureCauseInfo("", FailureStage.Dial, FailureSide.Target, RetryRule.Never);
        Row(FailureCause.AddressTypeNotSupported, "address_type_not_supported", kind with { Retry = RetryRule.Once });
        Row(FailureCause.OnionAddressInvalid, "onion_address_invalid", kind);
        var target = kind with { Stage = FailureStage.Tunnel };
        Row(FailureCause.TargetProtocol, "target_protocol", target);
        Row(FailureCause.TargetHeadTooLarge, "target_head_too_large", target);
        Row(FailureCause.TargetClosed, "target_closed", target);
        return table;
    }
}
