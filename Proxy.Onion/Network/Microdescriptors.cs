using System.Security.Cryptography;
using System.Text;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Network;

/// <summary>
/// The Ed25519 identities that microdescriptors tell (dir-spec, 3.3), by the digest that a consensus calls each of them by: SHA-256 of
/// the whole of it, in base64 without padding.
/// </summary>
internal sealed class Microdescriptors
{
    private const string Start = "onion-key";

    private readonly Dictionary<string, Bytes32> _identities = new(StringComparer.Ordinal);

    /// <summary>
    /// Reads GETINFO md/all: one behind the other, each beginning with a line "onion-key". What has no identity is passed over.
    /// </summary>
    public static Microdescriptors Read(string text)
    {
        var result = new Microdescriptors();
        int start = Find(text, 0);
        while (start >= 0)
        {
            int next = Find(text, start + Start.Length);
            result.Add(next < 0 ? text.AsSpan(start) : text.AsSpan(start, next - start));
            start = next;
        }

        return result;
    }

    public Bytes32? IdentityOf(string digest) => _identities.TryGetValue(digest, out var identity) ? identity : null;

    // The next line that is "onion-key", alone or with arguments.
    private static int Find(string text, int from)
    {
        for (int at = from; at <= text.Length;)
        {
            at = text.IndexOf(Start, at, StringComparison.Ordinal);
            if (at < 0)
                break;
            int behind = at + Start.Length;
            if ((at == 0 || text[at - 1] == '\n') && (behind == text.Length || text[behind] is '\n' or ' '))
                return at;
            at = behind;
        }

        return -1;
    }

    private void Add(ReadOnlySpan<char> text)
    {
        Span<byte> identity = stackalloc byte[Bytes32.Length];
        foreach (var line in text.EnumerateLines())
        {
            if (!line.StartsWith("id ed25519 ", StringComparison.Ordinal)
                || !Base64Text.TryDecode(line["id ed25519 ".Length..], identity))
                continue;

            byte[] bytes = new byte[text.Length];
            Encoding.Latin1.GetBytes(text, bytes);
            _identities[Convert.ToBase64String(SHA256.HashData(bytes)).TrimEnd('=')] = new Bytes32(identity);
            return;
        }
    }
}
