using System.Text;

namespace TorBalancer.Configuration;

/// <summary>A configured user. Deliberately no record: ToString must not show the password.</summary>
internal sealed class Credential(string user, string password)
{
    public string User { get; } = user;

    public string Password { get; } = password;
}

/// <summary>Parses <c>name:password</c>. Neither part is ever repeated in a message.</summary>
internal static class Credentials
{
    /// <summary>ULEN and PLEN are one byte each (RFC 1929, section 2).</summary>
    private const int MaxBytes = 255;

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
            value.Add(credential);
        }

        return null;
    }
}
