namespace TorBalancer.Onion.Crypto;

/// <summary>
/// What onion services need of this machine is not there: libsodium, or SHA-3 in its OpenSSL. The message says what to install.
/// </summary>
internal sealed class OnionCryptoException(string message) : Exception(message);
