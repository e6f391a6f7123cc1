using System.CommandLine;
using System.Net;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// <c>torbalancer env</c>: the variables that point command-line programs at the proxy; for <c>eval "$(torbalancer env)"</c>.
/// </summary>
internal static class EnvCommand
{
    public static Command Create()
    {
        var command = new Command("env", "Print the environment variables that point programs at this proxy: eval \"$(torbalancer env)\".");
        var program = new Option<string?>("--for")
        {
            Description = "What one program needs instead, with how it is put where",
            HelpName = "PROGRAM",
        };
        program.AcceptOnlyFromAmong([.. EnvPrograms.Names]);
        command.Options.Add(program);
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction(parsed =>
        {
            var result = arguments.Load(parsed, ConfigurationParts.Proxy);
            var error = parsed.InvocationConfiguration.Error;
            foreach (var issue in result.Errors)
                error.WriteLine(issue);
            if (!result.IsValid)
                return result.HasUsageErrors ? 2 : 1;
            return Print(result.Options, parsed.InvocationConfiguration.Output, error, parsed.GetValue(program));
        });
        return command;
    }

    /// <param name="program">One of <see cref="EnvPrograms.Names"/>; null: the variables that most programs read.</param>
    internal static int Print(TorBalancerOptions options, TextWriter output, TextWriter error, string? program = null)
    {
        // http:// where there is one: every program that reads one of these variables knows it, and names then always travel to Tor.
        // socks5h:// is unknown to some (.NET), socks5:// resolves locally in others (curl).
        (ListenerProtocols Protocol, string Scheme)[] schemes =
        [
            (ListenerProtocols.Http, "http"), (ListenerProtocols.Socks5, "socks5h"), (ListenerProtocols.Socks4, "socks4a"),
        ];
        // Who may use it comes before what it speaks: a listener that cuts this machine off, or asks for a password, is of no use as it
        // stands.
        var (listener, scheme) = schemes
            .SelectMany(
                known => options.Listeners.Where(
                    l => l.Address is IPEndPoint { Port: > 0 } && l.Protocols.HasFlag(known.Protocol) && IsKnown(l, known.Protocol)),
                static (known, listener) => (Listener: (ListenerOptions?)listener, Scheme: listener.Tls is null ? known.Scheme : "https"))
            .OrderBy(found => LetsUsIn(options, found.Listener!) ? 0 : 1)
            .ThenBy(static found => found.Listener!.Tls is null ? 0 : 1)
            .ThenBy(static found => AsksForUser(found.Listener!) ? 1 : 0)
            .FirstOrDefault();
        if (listener is null)
        {
            // Another process cannot know what the system picked; a variable with port 0 would point at nothing.
            var picked = options.Listeners.FirstOrDefault(static l => l.Address is IPEndPoint);
            error.WriteLine(picked is null
                ? "torbalancer: no listener has a TCP address; programs that read these variables need one"
                : $"torbalancer: [Listener:{picked.Name}] Address = {picked.Address} lets the system pick another port at each start "
                    + $"(the log says which); give it one of its own, such as "
                    + $"{new IPEndPoint(((IPEndPoint)picked.Address).Address, 1080)}");
            return 1;
        }

        var address = (IPEndPoint)listener.Address;
        if (!LetsUsIn(options, listener))
        {
            error.WriteLine(
                $"torbalancer: no listener lets programs on this machine in; [Listener:{listener.Name}] AllowFrom leaves "
                    + $"{Reachable(options, listener)} out");
            return 1;
        }

        var reachable = new IPEndPoint(Reachable(options, listener), address.Port);
        string url = $"{scheme}://{reachable}";
        if (program is not null)
        {
            bool hasSocks = listener.Protocols.HasFlag(ListenerProtocols.Socks5) && IsKnown(listener, ListenerProtocols.Socks5);
            bool hasHttp = listener.Protocols.HasFlag(ListenerProtocols.Http);
            if (EnvPrograms.ProblemOf(program, hasHttp, hasSocks) is { } problem)
            {
                error.WriteLine($"torbalancer: {program} {problem}; [Listener:{listener.Name}] Protocols says what is spoken there");
                return 1;
            }

            foreach (string line in EnvPrograms.Lines(program, reachable, url, hasSocks))
                output.WriteLine(line);
            foreach (string hint in EnvPrograms.Hints(program, reachable, AsksForUser(listener)))
                error.WriteLine(hint);
            return 0;
        }

        if (AsksForUser(listener))
        {
            string user = listener.Auth == ListenerAuth.Required ? "name:password@" : "any name, as name:@,";
            output.WriteLine($"# {listener.Name} asks for a user: write {user} behind {scheme}:// (in percent-encoding where need be)");
        }

        output.WriteLine(
            $"# {listener.Name}: curl reads http_proxy in lower case only; Go and Python read https_proxy; ALL_PROXY is for the rest");
        foreach (string name in (ReadOnlySpan<string>)["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
            output.WriteLine($"export {name}={url}");
        output.WriteLine("export no_proxy=localhost,127.0.0.1,::1");
        return 0;
    }

    private static bool AsksForUser(ListenerOptions listener) => listener.Auth is ListenerAuth.Required or ListenerAuth.Challenge;

    /// <summary>Programs have a name for HTTP inside TLS, and none for SOCKS inside it.</summary>
    private static bool IsKnown(ListenerOptions listener, ListenerProtocols protocol) =>
        listener.Tls is null || protocol == ListenerProtocols.Http;

    /// <summary>
    /// False when <c>AllowFrom</c> cuts off what connects from here: to an address of this machine its programs connect from the very same,
    /// unless they choose another.
    /// </summary>
    private static bool LetsUsIn(TorBalancerOptions options, ListenerOptions listener)
    {
        var source = Reachable(options, listener);
        return listener.AllowFrom.Count == 0 || listener.AllowFrom.Any(network => network.Contains(source));
    }

    /// <summary>
    /// The address that programs on this machine connect to: a listener on all addresses is reached by loopback, in the family that it lets
    /// in.
    /// </summary>
    private static IPAddress Reachable(TorBalancerOptions options, ListenerOptions listener)
    {
        var address = ((IPEndPoint)listener.Address).Address;
        if (address.Equals(IPAddress.Any))
            return IPAddress.Loopback;
        if (!address.Equals(IPAddress.IPv6Any))
            return address;
        bool allowsV6 = listener.AllowFrom.Count == 0 || listener.AllowFrom.Any(static network => network.Contains(IPAddress.IPv6Loopback));
        return !allowsV6 && BothFamilies.Serves(options, listener) ? IPAddress.Loopback : IPAddress.IPv6Loopback;
    }
}
