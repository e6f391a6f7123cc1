using System.Globalization;

namespace TorBalancer.Connecting;

/// <summary>
/// Tells an identity that is new from one that was seen lately, for picking a worker that has a clean circuit. A wrong answer costs
/// nothing but that: a new one may be taken for known when two share a place, never the other way round while the place is its own.
/// No lock, no allocation.
/// </summary>
internal sealed class RecentTokens
{
    /// <summary>A power of two; 64 KiB.</summary>
    private const int Places = 8192;

    private const int HashDigits = 16;

    private readonly ulong[] _seen = new ulong[Places];

    /// <summary>True when it was not seen since others took its place; it is seen now.</summary>
    public bool IsNew(IsolationToken token)
    {
        if (!IsUnseen(token, out ulong hash))
            return false;
        Volatile.Write(ref _seen[hash & (Places - 1)], hash);
        return true;
    }

    /// <summary>What <see cref="IsNew"/> would say; it is not seen by that.</summary>
    public bool WouldBeNew(IsolationToken token) => IsUnseen(token, out _);

    private bool IsUnseen(IsolationToken token, out ulong hash)
    {
        // An HMAC: any part of it is as good as a hash of all.
        var digits = token.Password.AsSpan(0, HashDigits);
        return ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out hash)
            && Volatile.Read(ref _seen[hash & (Places - 1)]) != hash;
    }
}
