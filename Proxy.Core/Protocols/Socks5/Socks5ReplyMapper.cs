using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Socks5;

/// <summary>The only table between causes and SOCKS5 reply codes, both ways.</summary>
internal static class Socks5ReplyMapper
{
    /// <summary>
    /// The code for a client. Extended codes (F0-F7) go only where the listener allows them: curl and torsocks do not know them.
    /// </summary>
    public static byte ToReply(FailureCause cause, bool extendedErrors) => cause switch
    {
        FailureCause.None => 0x00,
        FailureCause.ExitPolicy or FailureCause.RouteRejected or FailureCause.PrivateTarget or FailureCause.ClientNotAllowed
            or FailureCause.CountryNotServed or FailureCause.TooManyConnections or FailureCause.ConnectionRateExceeded
            or FailureCause.UserNotPermitted => 0x02,
        FailureCause.NetworkUnreachable or FailureCause.NoWorkerAvailable => 0x03,
        FailureCause.HostUnreachable => 0x04,
        FailureCause.ConnectionRefused => 0x05,
        FailureCause.TargetTimeout or FailureCause.ConnectTimeout or FailureCause.WorkerTimeout => 0x06,
        FailureCause.UnsupportedCommand or FailureCause.CommandNotSupported => 0x07,
        FailureCause.UnsupportedAddress or FailureCause.AddressTypeNotSupported => 0x08,
        FailureCause.OnionNotFound => extendedErrors ? (byte)0xF0 : (byte)0x04,
        FailureCause.OnionDescriptorInvalid => extendedErrors ? (byte)0xF1 : (byte)0x04,
        FailureCause.OnionIntroFailed => extendedErrors ? (byte)0xF2 : (byte)0x04,
        FailureCause.OnionRendezvousFailed => extendedErrors ? (byte)0xF3 : (byte)0x04,
        FailureCause.OnionAuthMissing => extendedErrors ? (byte)0xF4 : (byte)0x04,
        FailureCause.OnionAuthWrong => extendedErrors ? (byte)0xF5 : (byte)0x04,
        FailureCause.OnionAddressInvalid => extendedErrors ? (byte)0xF6 : (byte)0x01,
        FailureCause.OnionIntroTimeout => extendedErrors ? (byte)0xF7 : (byte)0x06,
        _ => 0x01,
    };

    /// <summary>What a worker's REP says. Unknown codes count as a general failure.</summary>
    public static FailureCause FromReply(byte reply) => reply switch
    {
        0x00 => FailureCause.None,
        0x02 => FailureCause.ExitPolicy,
        0x03 => FailureCause.NetworkUnreachable,
        0x04 => FailureCause.HostUnreachable,
        0x05 => FailureCause.ConnectionRefused,
        0x06 => FailureCause.TargetTimeout,
        0x07 => FailureCause.CommandNotSupported,
        0x08 => FailureCause.AddressTypeNotSupported,
        0xF0 => FailureCause.OnionNotFound,
        0xF1 => FailureCause.OnionDescriptorInvalid,
        0xF2 => FailureCause.OnionIntroFailed,
        0xF3 => FailureCause.OnionRendezvousFailed,
        0xF4 => FailureCause.OnionAuthMissing,
        0xF5 => FailureCause.OnionAuthWrong,
        0xF6 => FailureCause.OnionAddressInvalid,
        0xF7 => FailureCause.OnionIntroTimeout,
        _ => FailureCause.GeneralFailure,
    };
}
