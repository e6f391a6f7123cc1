using System.Text.RegularExpressions;

namespace TorBalancer.Configuration.Syntax;

/// <summary>
/// Password hashes as text: which of them crypt(3) verifies, and which only look like one. What is neither is a password in plain text.
/// </summary>
internal static partial class PasswordHash
{
    /// <summary>What an operator may write, for messages.</summary>
    public const string Allowed = "hashes that begin with $2y$, $2b$ or $2a$ (bcrypt), $5$ or $6$ (SHA-2) or $y$ (yescrypt), such as "
        + "`torbalancer user add` and `htpasswd -B` make, or the password itself";

    /// <summary>True of a whole hash of a kind that is verified.</summary>
    public static bool IsWhole(string secret) => secret.StartsWith('$') && Whole().IsMatch(secret);

    /// <summary>What is wrong with a secret that looks like a hash and is none that is verified; null: nothing, or it is no hash.</summary>
    public static ValueProblem? ProblemOf(string secret)
    {
        if (IsWhole(secret) || Any().Match(secret) is not { Success: true } match)
            return null;
        string kind = match.Groups[1].Value;
        string what = kind is "$2a$" or "$2b$" or "$2y$" or "$5$" or "$6$" or "$y$"
            ? $"has a hash of kind {kind} that is damaged or cut off"
            : $"has a hash of kind {kind}, which cannot be verified";
        return new ValueProblem($"{what}; allowed: {Allowed}", ShowAllowed: false);
    }

    /// <summary>The kind of a whole hash, for messages: its first signs, up to the second dollar.</summary>
    public static string KindOf(string hash) => hash[..(hash.IndexOf('$', 1) + 1)];

    /// <summary>crypt(5)'s forms, which htpasswd and /etc/shadow have, and the {SSHA} of LDAP.</summary>
    [GeneratedRegex(
        @"\A(\$(?:apr1|1|2[abxy]?|3|5|6|7|g?y|md5|sha1|argon2\w*)\$|\{(?:S?(?:SHA|MD5)\d*|CRYPT|PBKDF2\S*|ARGON2\w*)\})[\w./$+=,-]{8,}\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex Any();

    [GeneratedRegex(
        @"\A(?:\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}|\$5\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43}"
            + @"|\$6\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}"
            + @"|\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43})\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex Whole();
}
