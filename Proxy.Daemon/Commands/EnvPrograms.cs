using System.Net;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// What single programs need to use the proxy, in the form that each reads: for the shell where it reads the environment or its command
/// line, else the lines of its own configuration file. Hints go to standard error, so that the rest can be put into a file.
/// </summary>
internal static class EnvPrograms
{
    private const string Direct = "localhost,127.0.0.1,::1";

    public static IReadOnlyList<string> Names { get; } =
        ["apt", "chromium", "docker", "dotnet", "firefox", "git", "go", "npm", "pip", "ssh"];

    /// <summary>Why the listener does not do for a program; null: it does.</summary>
    public static string? ProblemOf(string program, bool hasHttp, bool hasSocks) => program switch
    {
        "npm" or "docker" when !hasHttp => "needs an HTTP proxy, and no listener that can be used speaks http",
        "chromium" or "firefox" or "ssh" or "apt" or "go" or "dotnet" or "pip" or "git" when !hasHttp && !hasSocks =>
            "needs HTTP or SOCKS5, and no listener that can be used speaks either",
        _ => null,
    };

    /// <param name="address">Where programs of this machine reach the listener.</param>
    /// <param name="url">Its URL, http:// where it speaks that.</param>
    /// <param name="hasSocks">It speaks SOCKS5.</param>
    public static IReadOnlyList<string> Lines(string program, IPEndPoint address, string url, bool hasSocks)
    {
        // Those that know no socks5h look names up nowhere with socks5.
        string plain = url.Replace("socks5h://", "socks5://", StringComparison.Ordinal);
        string connect = hasSocks ? $"nc -X 5 -x {address} %h %p" : $"nc -X connect -x {address} %h %p";
        return program switch
        {
            "git" =>
            [
                $"export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.proxy GIT_CONFIG_VALUE_0={url}",
                $"export GIT_SSH_COMMAND=\"ssh -o ProxyCommand='{connect}'\"",
            ],
            "ssh" => [$"ssh() {{ command ssh -o ProxyCommand='{connect}' \"$@\"; }}"],
            "npm" => [$"export npm_config_proxy={url} npm_config_https_proxy={url} npm_config_noproxy={Direct}"],
            "pip" => [$"export PIP_PROXY={url}"],

            // For these two alone: with socks5:// other programs of the shell, curl and git among them, look names up themselves.
            "go" => [$"go() {{ HTTP_PROXY={plain} HTTPS_PROXY={plain} NO_PROXY={Direct} command go \"$@\"; }}"],
            "dotnet" =>
            [
                $"dotnet() {{ http_proxy={plain} https_proxy={plain} all_proxy={plain} no_proxy={Direct} command dotnet \"$@\"; }}",
            ],
            "chromium" =>
            [

                // What does not load a URL, prefetching for one, would ask the resolver beside the proxy.
                $"chromium() {{ command chromium --proxy-server={plain} --webrtc-ip-handling-policy=disable_non_proxied_udp "
                    + $"--host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE {address.Address}, EXCLUDE localhost' \"$@\"; }}",
            ],
            "firefox" => Firefox(address, isHttp: url.StartsWith("http://", StringComparison.Ordinal)),
            "docker" =>
            [
                "{", "  \"proxies\": {", $"    \"http-proxy\": \"{url}\",", $"    \"https-proxy\": \"{url}\",",
                $"    \"no-proxy\": \"{Direct}\"", "  }", "}",
            ],
            _ => [$"Acquire::http::Proxy \"{url}\";", $"Acquire::https::Proxy \"{url}\";"],
        };
    }

    /// <summary>Where the lines belong, and what they do not reach.</summary>
    public static IEnumerable<string> Hints(string program, IPEndPoint address, bool needsUser)
    {
        string? hint = program switch
        {
            "git" => "# for this shell: eval \"$(torbalancer env --for git)\"; for good: git config --global http.proxy URL; "
                + "the ssh line needs netcat-openbsd",
            "ssh" => "# for this shell: eval \"$(torbalancer env --for ssh)\"; for good, in ~/.ssh/config: Host *.onion, "
                + "with the ProxyCommand; it needs netcat-openbsd",
            "npm" => "# for this shell: eval \"$(torbalancer env --for npm)\"; for good: npm config set proxy URL, and https-proxy",
            "pip" => "# for this shell: eval \"$(torbalancer env --for pip)\"; for good: pip config set global.proxy URL",
            "go" => "# for this shell: eval \"$(torbalancer env --for go)\"; what go fetches with git needs env --for git too",
            "dotnet" => "# for this shell: eval \"$(torbalancer env --for dotnet)\"; HttpClient reads these, and so does dotnet restore",
            "chromium" => "# for this shell: eval \"$(torbalancer env --for chromium)\"; close every window of that profile first",
            "firefox" => "// at the end of user.js in the profile's directory (about:profiles shows it)",
            "docker" => "# /etc/docker/daemon.json (Docker 23 or later), then: systemctl restart docker. It is for pulling images; in a "
                + $"container {address.Address} is the container itself: use --network host, or a listener on the bridge's address",
            "apt" => "# /etc/apt/apt.conf.d/80torbalancer; onion addresses in sources.list also need Acquire::BlockDotOnion \"false\";",
            _ => null,
        };
        if (hint is not null)
            yield return hint;
        if (needsUser)
            yield return "# the listener asks for a user: write name:password@ before the address (in percent-encoding where need be)";
    }

    private static string[] Firefox(IPEndPoint address, bool isHttp)
    {
        string host = address.Address.ToString();
        string[] servers = isHttp
            ?
            [
                $"user_pref(\"network.proxy.http\", \"{host}\");", $"user_pref(\"network.proxy.http_port\", {address.Port});",
                $"user_pref(\"network.proxy.ssl\", \"{host}\");", $"user_pref(\"network.proxy.ssl_port\", {address.Port});",
            ]
            :
            [
                $"user_pref(\"network.proxy.socks\", \"{host}\");", $"user_pref(\"network.proxy.socks_port\", {address.Port});",
                "user_pref(\"network.proxy.socks_version\", 5);", "user_pref(\"network.proxy.socks_remote_dns\", true);",
            ];
        return
        [
            "user_pref(\"network.proxy.type\", 1);", .. servers, "user_pref(\"network.proxy.no_proxies_on\", \"localhost, 127.0.0.1\");",
            "user_pref(\"network.trr.mode\", 5);", "user_pref(\"media.peerconnection.enabled\", false);",
        ];
    }
}
