using System.Security.Cryptography;
using System.Text;
using TorBalancer.Interop;
using TorBalancer.Protocols;

namespace TorBalancer.Authentication;

/// <summary>
/// Says whether a password is right: at once where it is configured in plain text or was verified before, else when its hash has been
/// computed. What was verified is remembered with its user as a keyed digest, one for each, until the user's hash changes.
/// </summary>
internal sealed class PasswordChecker(FailedLogins failures, PasswordHashing hashing)
{
    // As long as HMAC-SHA256 takes it without hashing it first. Gone with the process. Made when first needed: a start without users then
    // need not load OpenSSL, which takes as long as a tenth of it.
    private byte[]? _key;

    /// <summary>Hashes that were computed since the start.</summary>
    public long Hashes => hashing.Computed;

    /// <summary>For one that was one too many: until the next may be sent.</summary>
    public TimeSpan WaitOf(in Login login) => failures.WaitOf(login.Place, login.Name);

    /// <summary>
    /// The answer that needs no hash; <see cref="LoginVerdict.Pending"/>: <see cref="VerifyAsync"/> computes it. Allocates nothing.
    /// </summary>
    /// <param name="secretLength">How much of the password stands in front of its parameters, where it is right.</param>
    public LoginVerdict TryVerify(in Login login, out int secretLength)
    {
        secretLength = 0;
        if (failures.IsUserOver(login.Place, login.Name))
            return LoginVerdict.TooMany;
        Span<byte> bytes = stackalloc byte[CryptCalls.MaxPasswordBytes];
        if (login.Password.Length > bytes.Length)
            return Wrong(login);
        bytes = bytes[..Encoding.Latin1.GetBytes(login.Password, bytes)];
        if (login.User.Hash is null)
            return login.User.IsPlain(bytes, out secretLength) && login.IsKnown ? LoginVerdict.Right : Wrong(login);

        secretLength = UserParametersParser.SecretLength(login.Password);
        if (secretLength == 0)
            return Wrong(login);
        Span<byte> digest = stackalloc byte[Digest.Bytes];
        Compute(login.Name, bytes[..secretLength], digest);
        if (login.IsKnown && login.User.IsVerified(digest))
            return LoginVerdict.Right;
        if (!failures.IsClientOver(login.Place))
            return LoginVerdict.Pending;

        // Not looked at; but it was compared with what is remembered, which must not be to be guessed at for nothing.
        failures.Take(login.Place, login.Name);
        return LoginVerdict.TooMany;
    }

    /// <summary>Computes the hash, or waits for one that is being computed.</summary>
    /// <param name="limit">How long to wait at most.</param>
    public ValueTask<LoginVerdict> VerifyAsync(in Login login, TimeSpan limit, CancellationToken cancellationToken)
    {
        byte[] secret = Encoding.Latin1.GetBytes(login.Password[..UserParametersParser.SecretLength(login.Password)]);
        Span<byte> digest = stackalloc byte[Digest.Bytes];
        Compute(login.Name, secret, digest);
        return hashing.VerifyAsync(login, Digest.Of(digest), secret, limit, cancellationToken);
    }

    private LoginVerdict Wrong(in Login login)
    {
        failures.Take(login.Place, login.Name);
        return LoginVerdict.Wrong;
    }

    /// <summary>The name's length keeps it apart from the password.</summary>
    private void Compute(string name, ReadOnlySpan<byte> secret, Span<byte> digest)
    {
        // A longer name is nobody's (RFC 1929), and what is computed for it is remembered with nobody.
        Span<byte> input = stackalloc byte[1 + byte.MaxValue + CryptCalls.MaxPasswordBytes];
        int length = Math.Min(name.Length, byte.MaxValue);
        input[0] = (byte)length;
        Encoding.Latin1.GetBytes(name.AsSpan(0, length), input[1..]);
        secret.CopyTo(input[(1 + length)..]);
        byte[] key = LazyInitializer.EnsureInitialized(ref _key, static () => RandomNumberGenerator.GetBytes(64));
        HMACSHA256.HashData(key, input[..(1 + length + secret.Length)], digest);
        CryptographicOperations.ZeroMemory(input);
    }
}
