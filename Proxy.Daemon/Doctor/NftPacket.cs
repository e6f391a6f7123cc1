namespace TorBalancer.Daemon.Doctor;

/// <summary>A packet that nobody has sent, the first of a connection, to ask rules about.</summary>
/// <param name="Device">The interface that it comes in by.</param>
/// <param name="Version">Of the Internet Protocol, 4 or 6.</param>
/// <param name="Protocol">tcp or udp; null: any, and rules that ask for one hold for some of such packets.</param>
/// <param name="Port">Where it goes; null: anywhere.</param>
/// <param name="IsTurned">It has been turned to this machine, and goes to an address of its own.</param>
/// <param name="IsSentAway">It has been turned to another machine.</param>
internal sealed record NftPacket(
    string Device, int Version, string? Protocol = null, int? Port = null, bool IsTurned = false, bool IsSentAway = false);
