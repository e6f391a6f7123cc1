using System.Security.Cryptography;
using System.Text;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Authentication;

/// <summary>A configured user. Deliberately no record: ToString must not show the password.</summary>
internal sealed class ListenerUser
{
    private readonly string _secret;
    private readonly byte[] _plain;

    // The digest of the password that was found right last. A whole array takes the place of another, so readers need no lock.
    private volatile byte[]? _verified;

    /// <param name="secret">The password, or its hash, as configured.</param>
    public ListenerUser(string secret)
    {
        _secret = secret;
        Hash = PasswordHash.IsWhole(secret) ? secret : null;
        _plain = Hash is null ? Encoding.UTF8.GetBytes(secret) : [];
    }

    /// <summary>crypt(3)'s hash of the password; null: it is configured in plain text.</summary>
    public string? Hash { get; }

    /// <summary>Where <see cref="Hash"/> is null: the password, one character for each byte, as the parsers give it; else empty.</summary>
    public string KnownPassword => Encoding.Latin1.GetString(_plain);

    /// <summary>
    /// Compares with the password in plain text, without telling by time how much was right. It may be followed by parameters behind an
    /// underscore.
    /// </summary>
    /// <param name="given">The password as it came.</param>
    /// <param name="secretLength">How much of it is the password proper.</param>
    public bool IsPlain(ReadOnlySpan<byte> given, out int secretLength)
    {
        secretLength = _plain.Length;
        bool whole = CryptographicOperations.FixedTimeEquals(given, _plain);
        bool head = given.Length > _plain.Length && given[_plain.Length] == '_'
            && CryptographicOperations.FixedTimeEquals(given[.._plain.Length], _plain);
        return whole || head;
    }

    /// <summary>True when a password with this keyed digest has been verified before.</summary>
    public bool IsVerified(ReadOnlySpan<byte> digest) =>
        _verified is { } verified && CryptographicOperations.FixedTimeEquals(digest, verified);

    /// <summary>Remembers the digest of the right password.</summary>
    public void Remember(ReadOnlySpan<byte> digest) => _verified = digest.ToArray();

    /// <summary>Remembers what was remembered of another one, if both have the same secret.</summary>
    public void RememberAs(ListenerUser before)
    {
        if (_secret == before._secret)
            _verified = before._verified;
    }
}
