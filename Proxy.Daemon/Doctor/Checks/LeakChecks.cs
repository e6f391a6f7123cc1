using System.Globalization;
using System.Net;

namespace TorBalancer.Daemon.Doctor.Checks;

/// <summary>
/// Programs of this user that look names up by themselves and give the proxy an address: the name is then known to the resolver of this
/// machine, and onion services cannot be reached.
/// </summary>
internal static class LeakChecks
{
    // Of those curl, git and Python read, with what they make of socks5://.
    private static readonly string[] Variables =
        ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "PIP_PROXY", "npm_config_proxy"];

    private static readonly string[] Files = [".curlrc", ".gitconfig", ".config/git/config", ".config/pip/pip.conf", ".npmrc"];

    private static readonly (string Scheme, string Better)[] Schemes = [("socks5://", "socks5h://"), ("socks4://", "socks4a://")];

    public static IEnumerable<Finding> Names(Patient patient)
    {
        string[] ours =
        [
            .. patient.Options.Listeners.Select(static listener => listener.Address).OfType<IPEndPoint>()
                .Where(static address => address.Port > 0)
                .Select(static address => string.Create(CultureInfo.InvariantCulture, $":{address.Port}")),
        ];
        foreach (string name in Variables)
        {
            if (patient.System.Variable(name) is { } value && Find(value, ours) is { } found)
                yield return Of($"${name} = {Hidden(value)}", found);
        }

        foreach (string name in Files)
        {
            foreach (string line in (patient.System.ReadHome(name) ?? "").Split('\n'))
            {
                if (!line.TrimStart().StartsWith('#') && Find(line, ours) is { } found)
                    yield return Of($"~/{name}: {Hidden(line.Trim())}", found);
            }
        }
    }

    private static Finding Of(string where, (string Scheme, string Better) found) => Finding.Warning(
        where,
        $"with {found.Scheme} curl, git and Python look names up on this machine before they ask the proxy: your DNS server hears them",
        $"write {found.Better}, or http:// (torbalancer env prints what is best)");

    private static (string Scheme, string Better)? Find(string text, string[] ours)
    {
        foreach (var one in Schemes)
        {
            int at = text.IndexOf(one.Scheme, StringComparison.OrdinalIgnoreCase);
            if (at >= 0 && Array.Exists(ours, port => IsFollowedBy(text, at, port)))
                return one;
        }

        return null;
    }

    /// <summary>The port of the URL that begins there.</summary>
    private static bool IsFollowedBy(string text, int start, string port)
    {
        string url = text[start..].Split(' ', '"', '\'', '\r', '\t')[0].TrimEnd('/');
        return url.EndsWith(port, StringComparison.Ordinal);
    }

    /// <summary>Without the password that a URL may have.</summary>
    private static string Hidden(string text)
    {
        int scheme = text.IndexOf("://", StringComparison.Ordinal), at = text.LastIndexOf('@');
        return scheme >= 0 && at > scheme ? $"{text[..(scheme + 3)]}(hidden){text[at..]}" : text;
    }
}
