using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>
/// Reads bridge lines as tor does (parse_bridge_line in its config.c), and says more than it does of what is wrong with one:
/// <code>
/// [Bridge] [transport] address[:port] [fingerprint] [key=value …]
/// obfs4 192.0.2.7:443 0123456789ABCDEF0123456789ABCDEF01234567 cert=… iat-mode=0
/// </code>
/// </summary>
public static class BridgeText
{
    private const int FingerprintLength = 40;

    /// <summary>What the programs of these transports refuse to do without; they say so in their own log only.</summary>
    private static readonly (string Transport, string[] Keys)[] Needed =
        [("obfs4", ["cert", "iat-mode"]), ("webtunnel", ["url"]), ("meek_lite", ["url"])];

    /// <summary>All lines of a file; empty ones and comments are passed over. Or what is wrong, with the number of the line.</summary>
    public static (IReadOnlyList<BridgeLine> Bridges, string? Problem) ParseFile(string text)
    {
        var bridges = new List<BridgeLine>();
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].Trim(' ', '\t', '\r');
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (TryParse(line, out var bridge) is { } problem)
                return ([], string.Create(CultureInfo.InvariantCulture, $"line {i + 1} {problem}"));
            bridges.Add(bridge with { Number = i + 1 });
        }

        return bridges.Count > 0 ? (bridges, null) : ([], "holds no bridge line");
    }

    /// <summary>Null and a bridge, or a predicate that says what is wrong.</summary>
    public static string? TryParse(string line, out BridgeLine bridge)
    {
        bridge = new BridgeLine("", null);
        foreach (char c in line)
        {
            // A # would begin a comment in the torrc, the others quote.
            if (c is '#' or '"' or '\\' || (c != '\t' && char.IsControl(c)))
                return $"holds the character {ConfText.Printable(c.ToString())}, which no bridge line has";
        }

        var words = new Queue<string>(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries));
        if (words.TryPeek(out string? first) && first.Equals("Bridge", StringComparison.OrdinalIgnoreCase))
            words.Dequeue();
        if (words.Count == 0)
            return "names no bridge";
        string text = string.Join(' ', words);

        // That is how tor tells the two apart.
        string? transport = words.Peek().AsSpan().ContainsAny('.', ':') ? null : words.Dequeue();
        if (transport is not null && !IsTransport(transport))
            return $"begins with \"{ConfText.Printable(transport)}\", which is neither an address nor the name of a transport";
        if (!words.TryDequeue(out string? address))
            return $"has no address behind the transport {transport}";
        if (ProblemOfAddress(address) is { } problem)
            return problem;

        // Without a transport it may stand in groups of four, as tor used to write it.
        string fingerprint = "";
        while (words.TryPeek(out string? next) && !next.Contains('=') && (transport is null || fingerprint.Length == 0))
            fingerprint += words.Dequeue();
        if (fingerprint.Length > 0 && (fingerprint.Length != FingerprintLength || !fingerprint.All(char.IsAsciiHexDigit)))
            return $"has \"{ConfText.Printable(fingerprint)}\" where the fingerprint stands, which is 40 hexadecimal digits";

        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (string word in words)
        {
            int equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                return $"has \"{ConfText.Printable(word)}\" at its end, where only key=value may stand";
            if (transport is null)
                return $"has \"{ConfText.Printable(word)}\", but names no transport that it would be for";
            keys.Add(word[..equals]);
        }

        foreach (string key in Array.Find(Needed, row => row.Transport == transport).Keys ?? [])
        {
            if (!keys.Contains(key))
                return $"lacks {key}=, which {transport} needs";
        }

        bridge = new BridgeLine(text, transport);
        return null;
    }

    /// <summary>A name of C, as pt-spec has it (section 3.3.2).</summary>
    public static bool IsTransport(string word) =>
        word.Length > 0 && !char.IsAsciiDigit(word[0]) && word.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_');

    private static string? ProblemOfAddress(string text)
    {
        string quoted = $"\"{ConfText.Printable(text)}\"";
        string host = text, port = "443";
        int colon = text.LastIndexOf(':');
        if (text.StartsWith('['))
        {
            int end = text.IndexOf(']', StringComparison.Ordinal);
            if (end < 0 || (end + 1 < text.Length && text[end + 1] != ':'))
                return $"has the address {quoted}, whose brackets do not fit";
            host = text[1..end];
            port = end + 1 < text.Length ? text[(end + 2)..] : port;
        }
        else if (colon >= 0)
        {
            (host, port) = (text[..colon], text[(colon + 1)..]);
        }

        bool isAddress = AddressLiteral.TryParse(host, out _) && host.Contains(':') == text.StartsWith('[');
        if (!isAddress)
            return $"has the address {quoted}; a bridge is given by an IPv4 address, or by an IPv6 address in brackets, with its port";
        return int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is > 0 and <= 65535
            ? null
            : $"has the address {quoted}, whose port is none";
    }
}
