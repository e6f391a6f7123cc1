using System.Text;
using System.Text.RegularExpressions;

namespace TorBalancer.Configuration;

/// <summary>A configured user. Deliberately no record: ToString must not show the password.</summary>
internal sealed class Credential(string user, string password)
{
    public string User { get; } = user;

    public string Password { get; } = password;
}

/// <summary>Parses <c>name:password</c>. Neither part is ever repeated in a message.</summary>
internal static partial class Credentials
{
    /// <summary>ULEN and PLEN are one byte each (RFC 1929, section 2).</summary>
    private const int MaxBytes = 255;

    private const string Quotes = "\"'";

    public static ValueParser<List<Credential>> List { get; } =
        new("name:password, name:password, … (at most 255 bytes each; passwords with commas go into UsersFile)", ParseList);

    /// <summary>One user; the password may hold further colons.</summary>
    public static ValueProblem? Parse(string text, out Credential credential)
    {
        credential = null!;
        int colon = text.IndexOf(':');
        if (colon < 0)
            return new ValueProblem("has a user without a colon and a password");
        string user = text[..colon].TrimEnd(), password = text[(colon + 1)..].TrimStart();
        if (user.Length == 0)
            return new ValueProblem("has a user without a name");
        if (password.Length == 0)
            return new ValueProblem("has a user without a password");
        if (Encoding.UTF8.GetByteCount(user) > MaxBytes || Encoding.UTF8.GetByteCount(password) > MaxBytes)
            return new ValueProblem("has a name or a password of more than 255 bytes");
        if (text.Any(char.IsControl))
            return new ValueProblem("has a control character in a name or a password");
        if (Quotes.Contains(user[0]) && password[^1] == user[0])
            return new ValueProblem("has a user in quotes, which would belong to the name and the password; take them away");
        if (Hash().IsMatch(password))
            return new ValueProblem("has a hash where the password belongs; passwords are compared as they are written here", ShowAllowed: false);
        credential = new Credential(user, password);
        return null;
    }

    private static ValueProblem? ParseList(string text, ValueContext context, out List<Credential> value)
    {
        value = [];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (part.Length == 0)
                return new ValueProblem("has an empty item between its commas");
            var problem = Parse(part, out var credential);
            if (problem is not null)
                return problem;
            if (SecondUser().IsMatch(credential.Password))
                return new ValueProblem("seems to have two users without a comma between them (a password with such a part goes into UsersFile)");
            value.Add(credential);
        }

        return null;
    }

    /// <summary>crypt(5)'s forms, which htpasswd and /etc/shadow have, and the {SSHA} of LDAP.</summary>
    [GeneratedRegex(@"\A(?:\$(?:apr1|1|2[abxy]?|5|6|y|7|argon2\w*)\$|\{S?SHA\d*\})[\w./$+=,-]{8,}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Hash();

    /// <summary>Another name and its colon behind what may stand between two users elsewhere.</summary>
    [GeneratedRegex(@"[\s;|]\s*[A-Za-z0-9_.-]+:\S", RegexOptions.CultureInvariant)]
    private static partial Regex SecondUser();
}
