using System.Text;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Interop;
using TorBalancer.Protocols;

namespace TorBalancer.Daemon.Users;

/// <summary>What a new user may be called, what its password may be, and how that is hashed.</summary>
internal static class NewUser
{
    /// <summary>The kinds of hash by name, with their cost as crypt(5) counts it; the first that the system has is the usual one.</summary>
    private static readonly (string Name, string Prefix, int Cost)[] Methods =
        [("yescrypt", "$y$", 0), ("sha512", "$6$", 100_000), ("bcrypt", "$2y$", 10), ("sha256", "$5$", 100_000)];

    /// <summary>bcrypt does not look at what is behind these.</summary>
    private const int MaxBcryptBytes = 72;

    private const int MaxBytes = 255;

    public static IReadOnlyList<string> MethodNames { get; } = [.. Methods.Select(static one => one.Name)];

    /// <summary>Why nobody may be called so, as a predicate; null: it is a good name.</summary>
    public static string? ProblemOfName(string name)
    {
        if (name.Length == 0 || name.Trim() != name)
            return "is empty, or begins or ends with white space";
        if (name.Contains(':'))
            return "has a colon, at which the password begins";
        if (name.AsSpan().IndexOfAny('-', ',') is >= 0 and var at)
            return $"has a '{name[at]}', at which the parameters of a user name begin ({name[..at]}-session-abc)";
        if (name[0] == '#')
            return "begins with #, as a comment does";
        if (Encoding.UTF8.GetByteCount(name) > MaxBytes)
            return "has more than 255 bytes, which SOCKS5 cannot send";
        return Credentials.Parse($"{name}:x", out _) is { } problem ? problem.What : null;
    }

    /// <summary>Why a password cannot be used, as a predicate that does not repeat it; null: it can.</summary>
    public static string? ProblemOfPassword(ReadOnlySpan<byte> password, string? method)
    {
        if (password.IsEmpty)
            return "is empty";
        if (password.Length > MaxBytes)
            return "has more than 255 bytes, which SOCKS5 cannot send";
        string text = Encoding.Latin1.GetString(password);
        if (text.Any(static one => one is < ' ' or '\x7f'))
            return "has a control character";
        if (UserParametersParser.SecretLength(text) != text.Length)
            return "has an underscore with a parameter behind it, such as _session-, at which the password would end";
        return method == "bcrypt" && password.Length > MaxBcryptBytes ? "has more than 72 bytes, which are all that bcrypt looks at" : null;
    }

    /// <summary>The hash of a password; null after saying why there is none.</summary>
    /// <param name="method">Of <see cref="MethodNames"/>; null: the usual one.</param>
    public static string? Hash(ReadOnlySpan<byte> password, string? method, out string problem)
    {
        problem = $"{CryptCalls.Library} cannot make hashes of kind {method ?? string.Join(" or ", MethodNames)}";
        try
        {
            foreach (var (_, prefix, cost) in Methods.Where(one => method is null || one.Name == method))
            {
                if (CryptCalls.NewSetting(prefix, cost) is { } setting && CryptCalls.Hash(password, setting) is { } hash
                    && PasswordHash.IsWhole(hash))
                    return hash;
            }
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            problem = $"{CryptCalls.Library}, which makes hashes, is not installed or too old (Debian: libcrypt1)";
        }

        return null;
    }
}
