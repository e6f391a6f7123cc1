using TorBalancer.Primitives;
using TorBalancer.Protocols.Socks5;

namespace TorBalancer.Tests.Primitives;

public class FailureCauseTests
{
    private static readonly FailureCause[] All = Enum.GetValues<FailureCause>();

    [Test]
    public void Every_cause_has_a_word_of_its_own() =>
        Assert.That(All.Select(static cause => cause.Word()), Is.Unique.And.All.Match("^[a-z_]+$"));

    [Test]
    public void No_onion_error_counts_against_a_worker()
    {
        for (int reply = 0xF0; reply <= 0xF7; reply++)
            Assert.That(Socks5ReplyMapper.FromReply((byte)reply).Info().Side, Is.EqualTo(FailureSide.Target), $"0x{reply:X2}");
    }

    [Test]
    public void Replies_from_tor_reach_an_extended_listener_unchanged()
    {
        foreach (int reply in Enumerable.Range(1, 8).Concat(Enumerable.Range(0xF0, 8)))
            Assert.That(Socks5ReplyMapper.ToReply(Socks5ReplyMapper.FromReply((byte)reply), true), Is.EqualTo(reply));
    }

    [Test]
    public void No_extended_code_reaches_a_plain_listener_and_no_failure_looks_like_success()
    {
        foreach (var cause in All.Where(static cause => cause != FailureCause.None))
            Assert.That(Socks5ReplyMapper.ToReply(cause, false), Is.InRange(1, 8), cause.ToString());
    }

    /// <summary>What every cause leads to. A change here changes what users see, or who is held to be at fault.</summary>
    [TestCase(FailureCause.None, "ok", "None None Never None", "")]
    [TestCase(FailureCause.ClientClosed, "client_closed", "Handshake Client Never None", "")]
    [TestCase(FailureCause.HandshakeTimeout, "handshake_timeout", "Handshake Client Never None", "")]
    [TestCase(FailureCause.BadRequest, "bad_request", "Handshake Client Never None", "")]
    [TestCase(FailureCause.RequestHeadTooLarge, "request_head_too_large", "Handshake Client Never None", "")]
    [TestCase(FailureCause.ProtocolDisabled, "protocol_disabled", "Handshake Client Never None", "")]
    [TestCase(FailureCause.AuthRequired, "auth_required", "Handshake Client Never None", "")]
    [TestCase(FailureCause.AuthFailed, "auth_failed", "Handshake Client Never None", "")]
    [TestCase(FailureCause.TooManyFailedLogins, "too_many_failed_logins", "Handshake Client Never None", "")]
    [TestCase(FailureCause.BadUserParameters, "bad_user_parameters", "Handshake Client Never None", "")]
    [TestCase(FailureCause.UnsupportedCommand, "unsupported_command", "Handshake Client Never None", "")]
    [TestCase(FailureCause.UnsupportedAddress, "unsupported_address", "Handshake Client Never None", "")]
    [TestCase(FailureCause.ClientNotAllowed, "client_not_allowed", "Handshake Client Never None", "")]
    [TestCase(FailureCause.UserNotPermitted, "user_not_permitted", "Route Client Never None", "")]
    [TestCase(FailureCause.RouteRejected, "route_rejected", "Route Internal Never None", "")]
    [TestCase(FailureCause.PrivateTarget, "private_target", "Route Target Never None", "")]
    [TestCase(FailureCause.NoWorkerAvailable, "no_worker_available", "Select Internal Never None", "")]
    [TestCase(FailureCause.CountryNotServed, "country_not_served", "Select Client Never None", "")]
    [TestCase(FailureCause.TooManyConnections, "too_many_connections", "Handshake Internal Never None", "")]
    [TestCase(FailureCause.ConnectionRateExceeded, "connection_rate_exceeded", "Handshake Client Never None", "")]
    [TestCase(FailureCause.ConnectTimeout, "connect_timeout", "Dial None Always Ambiguous", "")]
    [TestCase(FailureCause.LoginsOverloaded, "logins_overloaded", "Handshake Internal Never None", "")]
    [TestCase(FailureCause.ShuttingDown, "shutting_down", "Dial Internal Never None", "")]
    [TestCase(FailureCause.ClosedByOperator, "closed_by_operator", "Dial Internal Never None", "")]
    [TestCase(FailureCause.InternalError, "internal_error", "Dial Internal Never None", "")]
    [TestCase(FailureCause.OutOfDescriptors, "out_of_descriptors", "Dial Internal Never None", "")]
    [TestCase(FailureCause.WorkerRefused, "worker_refused", "Dial Worker Always Full", "passed over, proves Refused, circuit Fails")]
    [TestCase(FailureCause.WorkerUnreachable, "worker_unreachable", "Dial Worker Always Full",
        "passed over, uplink WorkerElsewhere, proves Unreachable, circuit Fails")]
    [TestCase(FailureCause.WorkerTimeout, "worker_timeout", "Dial Worker Always Full",
        "passed over, uplink WorkerElsewhere, circuit Fails")]
    [TestCase(FailureCause.WorkerClosed, "worker_closed", "Dial Worker Always Full",
        "passed over, uplink WorkerElsewhere, circuit Fails, token")]
    [TestCase(FailureCause.WorkerProtocol, "worker_protocol", "Dial Worker Always Full", "passed over, circuit Fails")]
    [TestCase(FailureCause.WorkerAuthRejected, "worker_auth_rejected", "Dial Worker Always Full", "passed over, circuit Fails, token")]
    [TestCase(FailureCause.GeneralFailure, "general_failure", "Dial Worker Always Ambiguous", "circuit Fails")]
    [TestCase(FailureCause.ExitPolicy, "exit_policy", "Dial Target Once None", "circuit Works")]
    [TestCase(FailureCause.NetworkUnreachable, "network_unreachable", "Dial Target Always Ambiguous", "")]
    [TestCase(FailureCause.HostUnreachable, "host_unreachable", "Dial Target Once None", "circuit Works")]
    [TestCase(FailureCause.ConnectionRefused, "connection_refused", "Dial Target Never None", "circuit Works")]
    [TestCase(FailureCause.TargetTimeout, "target_timeout", "Dial Target Always Ambiguous", "")]
    [TestCase(FailureCause.CommandNotSupported, "command_not_supported", "Dial Worker Always Full", "uplink Any, circuit Fails")]
    [TestCase(FailureCause.AddressTypeNotSupported, "address_type_not_supported", "Dial Target Once None", "")]
    [TestCase(FailureCause.OnionNotFound, "onion_not_found", "Dial Target Once None", "circuit Works")]
    [TestCase(FailureCause.OnionDescriptorInvalid, "onion_descriptor_invalid", "Dial Target Never None", "circuit Works")]
    [TestCase(FailureCause.OnionIntroFailed, "onion_intro_failed", "Dial Target Once Ambiguous", "")]
    [TestCase(FailureCause.OnionRendezvousFailed, "onion_rendezvous_failed", "Dial Target Once Ambiguous", "")]
    [TestCase(FailureCause.OnionAuthMissing, "onion_auth_missing", "Dial Target Never None", "circuit Works")]
    [TestCase(FailureCause.OnionAuthWrong, "onion_auth_wrong", "Dial Target Never None", "circuit Works")]
    [TestCase(FailureCause.OnionAddressInvalid, "onion_address_invalid", "Dial Target Never None", "")]
    [TestCase(FailureCause.OnionIntroTimeout, "onion_intro_timeout", "Dial Target Once Ambiguous", "")]
    [TestCase(FailureCause.TargetProtocol, "target_protocol", "Tunnel Target Never None", "")]
    [TestCase(FailureCause.TargetHeadTooLarge, "target_head_too_large", "Tunnel Target Never None", "")]
    [TestCase(FailureCause.TargetClosed, "target_closed", "Tunnel Target Never None", "")]
    [TestCase(FailureCause.LinkDown, "link_down", "Dial Worker Always Full", "passed over, proves LinkDown, circuit Fails")]
    [TestCase(FailureCause.NoFirstByte, "no_first_byte", "Tunnel Target Never Ambiguous", "")]
    public void Row_says_all_that_is_asked_of_a_cause(FailureCause cause, string word, string basics, string rest)
    {
        var info = cause.Info();
        Assert.That(info.Word, Is.EqualTo(word));
        Assert.That($"{info.Stage} {info.Side} {info.Retry} {info.Evidence}", Is.EqualTo(basics));
        Assert.That(Rest(info), Is.EqualTo(rest));
    }

    [Test]
    public void Every_cause_has_its_row_above()
    {
        var test = typeof(FailureCauseTests).GetMethod(nameof(Row_says_all_that_is_asked_of_a_cause))!;
        var rows = test.GetCustomAttributes(false).OfType<TestCaseAttribute>();

        Assert.That(rows.Select(static row => row.Arguments[0]), Is.EquivalentTo(All));
    }

    /// <summary>The monitor looks at it only then, and what proves that a worker is gone must count against it.</summary>
    [Test]
    public void Only_a_failure_that_counts_in_full_is_laid_to_the_uplink_or_proves_anything()
    {
        foreach (var info in All.Select(static cause => cause.Info()).Where(static info => info.Evidence != FailureEvidence.Full))
            Assert.That((info.Uplink, info.Proof, info.PassesOver), Is.EqualTo((UplinkSuspicion.None, GoneProof.None, false)), info.Word);
    }

    private static string Rest(FailureCauseInfo info)
    {
        var said = new List<string>();
        if (info.PassesOver)
            said.Add("passed over");
        if (info.Uplink != UplinkSuspicion.None)
            said.Add($"uplink {info.Uplink}");
        if (info.Proof != GoneProof.None)
            said.Add($"proves {info.Proof}");
        if (info.Circuit != CircuitEvidence.None)
            said.Add($"circuit {info.Circuit}");
        if (info.MayRefuseToken)
            said.Add("token");
        return string.Join(", ", said);
    }
}
