using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Network;

/// <summary>A relay that keeps onion descriptors: the flag HSDir, protocol HSDir=2, and a known Ed25519 identity.</summary>
/// <param name="Fingerprint">Of its RSA identity, 40 upper-case hexadecimal digits: what the control port calls it.</param>
/// <param name="Identity">Its Ed25519 identity: its place in the hash ring comes from it.</param>
internal sealed record DirectoryRelay(string Fingerprint, Bytes32 Identity);
