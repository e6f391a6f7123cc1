using System.Security.Cryptography;

namespace TorBalancer.Connecting;

/// <summary>
/// What isolation tokens are made with. Daemons that have the same one give the same client, or session, the same token.
/// </summary>
internal sealed class IsolationKey
{
    /// <summary>Length in bytes.</summary>
    public const int Bytes = 32;

    // Made with the first token: the daemon listens before the cryptography is loaded.
    private byte[]? _value;
    private byte[]? _process;

    /// <summary>One that is of this process alone.</summary>
    public IsolationKey()
    {
    }

    /// <param name="value">32 bytes that others may have too.</param>
    public IsolationKey(byte[] value)
    {
        if (value.Length != Bytes)
            throw new ArgumentException("an isolation key has 32 bytes", nameof(value));
        _value = value;
    }

    public ReadOnlySpan<byte> Value => LazyInitializer.EnsureInitialized(ref _value, static () => RandomNumberGenerator.GetBytes(Bytes));

    /// <summary>
    /// 16 bytes that no other process has: what is counted by a process must not meet what another has counted under the same key.
    /// </summary>
    public ReadOnlySpan<byte> Process => LazyInitializer.EnsureInitialized(ref _process, static () => RandomNumberGenerator.GetBytes(16));
}
