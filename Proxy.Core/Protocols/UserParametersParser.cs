using System.Buffers;
using System.Globalization;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols;

/// <summary>
/// Parses parameters out of a user name, or out of a password behind an underscore. The grammar, in full:
/// <code>
/// user      = [ prefix "-" name "-" ] pairs           ; prefix = user | customer, also "brd-customer"
///           | name "-" pairs                          ; name = a user that the listener knows
///           | pairs
/// pairs     = key "-" value *( "-" key "-" value )    ; "," separates pairs as well as "-", "_" too in passwords
/// password  = secret 1*( "_" key "-" value )
/// key       = session | sessid | lifetime | sesstime | sessionduration | rotate | mode | worker | country | cc | zone
/// value     = 1*( ALPHA / DIGIT / "_" )               ; a worker's value may hold "-": it is a worker's id
/// </code>
/// A name that does not start like this is opaque: it is taken whole as an isolation key and nothing else. So is every
/// name with a dot or colon in it, because Tor Browser sends the site's domain as its user name. A name that does start
/// like this must be right to its end: an unknown key is an error, not silence.
/// </summary>
internal sealed class UserParametersParser
{
    private static readonly SearchValues<char> ValueCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~");

    private static readonly string[] Keys =
        ["session", "sessid", "lifetime", "sesstime", "sessionduration", "rotate", "mode", "worker", "country", "cc", "zone"];

    private readonly HashSet<string> _modes;

    public UserParametersParser(IEnumerable<string> modes) => _modes = new HashSet<string>(modes, StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Parses; an error names the key and what is allowed, and repeats nothing else of what was sent: it is logged, and may be a
    /// password's. Opaque credentials give <see cref="UserParameters.None"/>.
    /// </summary>
    /// <param name="knownUser">The configured user that the name belongs to, which is taken off the front; null in open mode.</param>
    /// <param name="secretLength">How much of the password is the secret itself, which is never looked into; 0 in open mode.</param>
    public ProxyError Parse(ClientCredentials? credentials, string? knownUser, out UserParameters parameters, int secretLength = 0)
    {
        var error = Read(credentials, knownUser, out parameters, secretLength);
        if (knownUser is not null)
            parameters = parameters with { KnownUser = knownUser };
        return error;
    }

    private ProxyError Read(ClientCredentials? credentials, string? knownUser, out UserParameters parameters, int secretLength)
    {
        parameters = UserParameters.None;
        if (credentials is null)
            return default;

        string user = credentials.User;
        if (StartOfPairs(user, knownUser, out string baseUser, out var pairs))
            return ParsePairs(pairs, baseUser, out parameters);
        int underscore = PasswordPairsStart(credentials.Password, secretLength);
        if (underscore >= 0)
        {
            var error = ParsePairs(Tokens(credentials.Password[(underscore + 1)..], "-,_"), user, out parameters);
            parameters = parameters with { SecretLength = underscore };
            return error;
        }

        if (knownUser is null && Misspelt(user) is { } suggestion)
            return Error($"the first parameter is unknown; did you mean '{suggestion}'? Allowed: {string.Join(", ", Keys)}");
        parameters = knownUser is null ? UserParameters.None : UserParameters.None with { BaseUser = knownUser };
        return default;
    }

    /// <summary>
    /// The user that a name of an authenticated listener belongs to: the name itself, or what is in front of its parameters.
    /// </summary>
    public static string? FindKnownUser<T>(string user, IReadOnlyDictionary<string, T> users)
    {
        if (users.ContainsKey(user))
            return user;
        string rest = StripPrefix(user);
        if (rest.Length != user.Length && users.ContainsKey(rest))
            return rest;

        // Somebody may be called user-joe, and somebody else user: whoever leaves less over is meant.
        string? whole = Longest(user, users), stripped = rest.Length != user.Length ? Longest(rest, users) : null;
        return (whole?.Length ?? 0) >= (stripped is null ? 0 : user.Length - rest.Length + stripped.Length) ? whole : stripped;
    }

    /// <summary>
    /// How much of a password stands in front of its parameters, where nothing is known of it: up to the first underscore with a key and a
    /// dash behind it.
    /// </summary>
    public static int SecretLength(string password) => PasswordPairsStart(password, 0) is >= 0 and var start ? start : password.Length;

    /// <summary>The longest known name in front of a separator.</summary>
    private static string? Longest<T>(string text, IReadOnlyDictionary<string, T> users)
    {
        for (int at = text.LastIndexOfAny(['-', ',']); at > 0; at = text.LastIndexOfAny(['-', ','], at - 1))
        {
            if (users.ContainsKey(text[..at]))
                return text[..at];
        }

        return null;
    }

    private static bool StartOfPairs(string user, string? knownUser, out string baseUser, out string[] pairs)
    {
        baseUser = knownUser ?? "";
        pairs = [];
        if (user.Length == 0 || user.AsSpan().ContainsAny('.', ':'))
        {
            // A known user's own name may hold a dot; its parameters may not, except in a worker's id.
            if (knownUser is null || user == knownUser)
                return false;
        }

        string rest = StripPrefix(user);
        bool prefixed = rest.Length != user.Length;
        if (knownUser is not null)
        {
            if (user.StartsWith(knownUser, StringComparison.Ordinal)
                && (user.Length == knownUser.Length || user[knownUser.Length] is '-' or ','))
                rest = user;
            if (rest.Length <= knownUser.Length)
                return false;
            rest = rest[(knownUser.Length + 1)..];
            pairs = Tokens(rest, "-,");
            return true;
        }

        var tokens = Tokens(rest, "-,");
        if (prefixed && tokens.Length >= 1)
        {
            // customer-U-cc-DE-…: the name runs up to the first key that has a value.
            int first = Array.FindIndex(tokens, static token => IsKey(token));
            if (first is < 1 || first == tokens.Length - 1)
            {
                baseUser = rest;
                return false;
            }

            baseUser = string.Join('-', tokens[..first]);
            pairs = tokens[first..];
            return true;
        }

        pairs = tokens;
        return tokens.Length >= 2 && IsKey(tokens[0]);
    }

    private static string StripPrefix(string user)
    {
        foreach (string prefix in (ReadOnlySpan<string>)["brd-customer-", "customer-", "user-"])
        {
            if (user.Length > prefix.Length && user.StartsWith(prefix, StringComparison.Ordinal))
                return user[prefix.Length..];
        }

        return user;
    }

    private static int PasswordPairsStart(string password, int from)
    {
        for (int at = password.IndexOf('_', Math.Min(from, password.Length)); at >= 0; at = password.IndexOf('_', at + 1))
        {
            int dash = password.IndexOf('-', at);
            if (dash > at && IsKey(password.AsSpan((at + 1)..dash)))
                return at;
        }

        return -1;
    }

    private static string[] Tokens(string text, string separators) => text.Split(separators.ToCharArray());

    private static bool IsKey(ReadOnlySpan<char> token)
    {
        foreach (string key in Keys)
        {
            if (token.Equals(key, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    private ProxyError ParsePairs(string[] tokens, string baseUser, out UserParameters parameters)
    {
        parameters = UserParameters.None with { BaseUser = baseUser };
        string last = "";
        for (int i = 0; i < tokens.Length;)
        {
            string key = tokens[i].ToLowerInvariant();
            if (!IsKey(key))
                return Error(
                    $"{(last.Length == 0 ? "the first parameter" : $"the parameter behind '{last}'")} is unknown; allowed: "
                        + $"{string.Join(", ", Keys)}");
            if (i + 1 == tokens.Length || tokens[i + 1].Length == 0)
                return Error($"parameter '{key}' has no value");

            int next = i + 2;
            if (key == "worker")
            {
                // Worker ids hold dashes themselves, so the value runs up to the next key that has a value.
                while (next < tokens.Length && !(IsKey(tokens[next]) && next + 1 < tokens.Length))
                    next++;
            }

            string value = string.Join('-', tokens[(i + 1)..next]);
            var error = Apply(key, value, ref parameters);
            if (error.IsError)
                return error;
            last = key;
            i = next;
        }

        if (parameters.Session is null && (parameters.SessionLifetime is not null || parameters.RotateAfterUses is not null))
            return Error("lifetime and rotate need a session");
        return default;
    }

    private ProxyError Apply(string key, string value, ref UserParameters parameters)
    {
        if (key != "worker" && value.AsSpan().ContainsAnyExcept(ValueCharacters))
            return Error($"parameter '{key}' may hold letters, digits, '_' and '~' only");
        switch (key)
        {
            case "session" or "sessid" when parameters.Session is null:
                parameters = parameters with { Session = value };
                return default;
            case "lifetime" or "sesstime" or "sessionduration" when parameters.SessionLifetime is null:
                if (!TryParseLifetime(value, out var lifetime))
                    return Error($"parameter '{key}' is a time such as 10m, 90s or 1h (a bare number is minutes), 1 s to 24 h");
                parameters = parameters with { SessionLifetime = lifetime };
                return default;
            case "rotate" when parameters.RotateAfterUses is null:
                if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int uses) || uses is < 1 or > 1_000_000)
                    return Error("parameter 'rotate' is a number of connections, 1 to 1000000");
                parameters = parameters with { RotateAfterUses = uses };
                return default;
            case "mode" when parameters.Mode is null:
                string mode = value.ToLowerInvariant();
                if (!_modes.Contains(mode))
                    return Error($"parameter 'mode' names an unknown mode; allowed: {string.Join(", ", _modes)}");
                parameters = parameters with { Mode = mode };
                return default;
            case "worker" when parameters.Worker is null:
                parameters = parameters with { Worker = value };
                return default;
            case "country" or "cc" when parameters.Country is null:
                if (value.Length != 2)
                    return Error($"parameter '{key}' is a two-letter country code");
                parameters = parameters with { Country = value.ToLowerInvariant() };
                return default;
            case "zone":
                // Commercial gateways name the product here. There is one product; any zone is it.
                return default;
            default:
                return Error($"parameter '{key}' is given twice");
        }
    }

    private static bool TryParseLifetime(string value, out TimeSpan lifetime)
    {
        lifetime = default;
        char unit = value[^1];
        var digits = char.IsAsciiDigit(unit) ? value.AsSpan() : value.AsSpan(0, value.Length - 1);
        if (digits.Length is 0 or > 6 || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            return false;
        lifetime = char.ToLowerInvariant(unit) switch
        {
            's' => TimeSpan.FromSeconds(number),
            'h' => TimeSpan.FromHours(number),
            'm' => TimeSpan.FromMinutes(number),
            _ when char.IsAsciiDigit(unit) => TimeSpan.FromMinutes(number),
            _ => TimeSpan.Zero,
        };
        return lifetime >= TimeSpan.FromSeconds(1) && lifetime <= TimeSpan.FromHours(24);
    }

    /// <summary>A first word that is nearly a key, with a value behind it, is a typing error rather than somebody's name.</summary>
    private static string? Misspelt(string user)
    {
        int dash = user.IndexOf('-');
        if (dash < 4 || dash == user.Length - 1 || user.AsSpan().ContainsAny('.', ':'))
            return null;
        string word = user[..dash].ToLowerInvariant();
        return Array.Find(Keys, key => key.Length >= 4 && Spelling.Distance(word, key) == 1);
    }

    private static ProxyError Error(string detail) => new(FailureCause.BadUserParameters, detail);
}
