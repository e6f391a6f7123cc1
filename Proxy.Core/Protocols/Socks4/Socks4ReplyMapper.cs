using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Socks4;

/// <summary>The only table from causes to SOCKS4 reply codes (SOCKS.protocol); the protocol has two for all that fails here.</summary>
internal static class Socks4ReplyMapper
{
    /// <summary>Granted; rejected or failed; rejected because the user id is not accepted.</summary>
    public const byte Granted = 0x5A, Rejected = 0x5B, UserRejected = 0x5D;

    public static byte ToReply(FailureCause cause) => cause switch
    {
        FailureCause.None => Granted,
        FailureCause.AuthFailed or FailureCause.AuthRequired or FailureCause.BadUserParameters or FailureCause.CountryNotServed
            or FailureCause.TooManyFailedLogins or FailureCause.UserNotPermitted => UserRejected,
        _ => Rejected,
    };
}
