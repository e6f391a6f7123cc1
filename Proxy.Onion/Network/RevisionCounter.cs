using System.Security.Cryptography;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Network;

/// <summary>
/// Revision counters by order-preserving encryption of the time (rend-spec-v3, F.2): they rise every second, and tell nobody without the
/// key when. Onionbalance's rule, so that its publishers and ours agree; tor itself encrypts with the blinded key, so a tor and a
/// publisher on one address do not.
/// </summary>
internal static class RevisionCounter
{
    // On the public network a term ends two days after its run began. Only a clock that is far off asks for more; this bounds its work.
    private const long LongestTerm = 7 * 86_400;

    /// <summary>The counter of a time: the sum of one word of key stream, plus 1, for each second since the run began.</summary>
    /// <param name="runStart">When the run began, in Unix seconds. A time before it counts as its first second.</param>
    public static ulong At(IdentityKey key, long runStart, DateTimeOffset now)
    {
        long seconds = Math.Clamp(now.ToUnixTimeSeconds() - runStart + 1, 1, LongestTerm);
        Span<byte> secret = stackalloc byte[32];
        key.DeriveRevisionKey(secret);
        using var cipher = new AesCtr(secret, stackalloc byte[16]);
        CryptographicOperations.ZeroMemory(secret);

        ulong sum = 0;
        Span<byte> words = stackalloc byte[1024];
        for (long left = seconds * 2; left > 0; left -= words.Length)
        {
            words.Clear();
            cipher.Apply(words);
            for (int at = 0; at < words.Length && at < left; at += 2)
                sum += (ulong)(words[at] | (words[at + 1] << 8)) + 1;
        }

        return sum;
    }
}
