using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;

namespace TorBalancer.Admin.Fetch;

/// <summary>The header fields of a fetch: which may be sent, and which do not leave for another origin.</summary>
internal static class FetchHeaders
{
    private const int MaxCount = 100;

    /// <summary>Of all names and values together; no server takes more (Apache 8 KiB a field, nginx 32 KiB in all).</summary>
    private const int MaxLength = 64 * 1024;

    /// <summary>RFC 9110, section 5.6.2: what a field name consists of besides letters and digits.</summary>
    private const string TokenMarks = "!#$%&'*+-.^_`|~";

    /// <summary>
    /// They belong to one connection (RFC 9110, section 7.6.1), frame the message, or name the target. A second answer
    /// to any of these questions is how requests are smuggled.
    /// </summary>
    private static readonly FrozenSet<string> Ours = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "Host", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade", "Content-Length", "Expect");

    private static readonly FrozenSet<string> Secret =
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "Authorization", "Cookie", "Cookie2", "WWW-Authenticate");

    private static readonly FrozenSet<string> OfBodies = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase, "Allow", "Expires", "Last-Modified");

    /// <summary>True for what is not sent to another origin than the one it was meant for.</summary>
    public static bool IsSecret(string name) => Secret.Contains(name);

    public static FieldProblem? Read(JsonElement value, out IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        headers = [];
        if (value.ValueKind != JsonValueKind.Object)
            return new FieldProblem("headers", $"headers must be an object of strings, not {FieldProblem.Kind(value)}");
        var found = new List<KeyValuePair<string, string>>();
        int length = 0;
        foreach (var member in value.EnumerateObject())
        {
            string field = "headers." + member.Name;
            if (found.Count == MaxCount)
                return new FieldProblem(
                    "headers", string.Create(CultureInfo.InvariantCulture, $"headers has more than {MaxCount} members"));
            if (!IsToken(member.Name))
                return new FieldProblem(field, $"'{member.Name}' is not the name of a header field");
            if (Ours.Contains(member.Name))
                return new FieldProblem(field, $"{member.Name} is not for the caller to set: it follows from url");
            if (member.Name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase) || OfBodies.Contains(member.Name))
                return new FieldProblem(field, $"{member.Name} describes a body, and a fetch is a GET without one");
            if (member.Value.ValueKind != JsonValueKind.String)
                return new FieldProblem(field, $"{field} must be a string, not {FieldProblem.Kind(member.Value)}");
            string text = member.Value.GetString()!;
            if (!text.All(static c => c is '\t' or (>= ' ' and <= '~')))
                return new FieldProblem(field, $"{field} holds a character that is not printable ASCII");
            length += member.Name.Length + text.Length;
            if (length > MaxLength)
                return new FieldProblem("headers", "headers holds more than 64 KiB");
            found.Add(new KeyValuePair<string, string>(member.Name, text));
        }

        headers = found;
        return null;
    }

    private static bool IsToken(string name) =>
        name.Length > 0 && name.All(static c => char.IsAsciiLetterOrDigit(c) || TokenMarks.Contains(c));
}
