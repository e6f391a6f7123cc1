using System.Text;
using System.Text.RegularExpressions;

namespace TorBalancer.Configuration.Syntax;

/// <summary>A configured user. Deliberately no record: ToString must not show the password, or its hash.</summary>
internal sealed class Credential(string user, string password)
{
    public string User { get; } = user;

    public string Password { get; } = password;
}

/// <summary>Parses <c>name:password</c> and <c>name:hash</c>. Neither part is ever repeated in a message.</summary>
internal static partial class Credentials
{
    /// <summary>ULEN and PLEN are one byte each (RFC 1929, section 2).</summary>
    private const int MaxBytes = 255;

    /// <summary>Commas and semicolons of Chinese and Japanese keyboards, which part no list.</summary>
    private const string WideSeparators = "\uFF0C\uFF1B\u3001";

    public static ValueParser<List<Credential>> List { get; } =
        new("name:password, name:password, … (at most 255 bytes each; passwords with commas go into UsersFile)", ParseList);

    /// <summary>One user; the password may hold further colons.</summary>
    /// <param name="isLiteral">Every character is meant: quotes and the signs of other formats are none.</param>
    public static ValueProblem? Parse(string text, out Credential credential, bool isLiteral = false)
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
        if (text.Any(ConfText.IsInvisible))
            return new ValueProblem("has a character that cannot be seen in a name or a password");
        if (ForeignMarks.IsInQuotes(text) || ForeignMarks.IsInQuotes(user))
            return new ValueProblem("has a user in quotes, which would belong to the name and the password; take them away");
        if (!isLiteral && SignsOf(text, password) is { } sign)
            return new ValueProblem(sign);
        if (Account().IsMatch(password))
            return new ValueProblem("is a line of /etc/passwd or /etc/shadow, which holds no password", ShowAllowed: false);
        if (PasswordHash.ProblemOf(password) is { } unverifiable)
            return unverifiable;
        credential = new Credential(user, password);
        return null;
    }

    private static string? SignsOf(string text, string password)
    {
        if (text[0] is '{' or '[' || text.StartsWith("- ", StringComparison.Ordinal))
            return "is written as JSON or YAML";
        if (ForeignMarks.IsInQuotes(password))
            return "has a password in quotes, which would belong to it; take them away";
        return text.AsSpan().ContainsAny(WideSeparators)
            ? "has a wide comma or semicolon, which parts nothing; users are separated by a plain comma"
            : null;
    }

    private static ValueProblem? ParseList(string text, ValueContext context, out List<Credential> value)
    {
        value = [];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (part.Length == 0)
                return new ValueProblem("has an empty item between its commas");
            var problem = Parse(part, out var credential, context.IsQuoted);
            if (problem is not null)
                return problem;
            if (SecondUser().IsMatch(credential.Password))
            {
                return new ValueProblem("seems to have two users without a comma between them "
                    + "(a password with such a part goes into UsersFile)");
            }

            value.Add(credential);
        }

        return null;
    }

    /// <summary>What stands behind the name in passwd(5) and shadow(5).</summary>
    [GeneratedRegex(@"\A[^:]*(?::\d+:\d+:[^:]*:[^:]*:[^:]*|(?::\d*){7})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Account();

    /// <summary>Another name and its colon behind what may stand between two users elsewhere.</summary>
    [GeneratedRegex(@"[\s;|]\s*[A-Za-z0-9_.-]+:\S", RegexOptions.CultureInvariant)]
    private static partial Regex SecondUser();
}
