using System.Globalization;
using System.Net;
using System.Text;
using TorBalancer.Admin.Fetch;
using TorBalancer.Balancing;
using TorBalancer.Primitives;
using TorBalancer.Server;

namespace TorBalancer.Admin.Explain;

/// <summary>The parameters of a question as they came; null: not given.</summary>
internal readonly record struct ExplainParameters(string? Target, string? User, string? Client, string? Listener, string? Mode);

/// <summary>A connection that nobody has made, to be asked about.</summary>
/// <param name="User">As the parsers give it, one character for each byte of UTF-8; null: none is sent.</param>
/// <param name="Client">Null: it comes by a unix socket.</param>
/// <param name="Mode">The mode that is asked for beside the user name; null: none.</param>
internal sealed record ExplainQuestion(HostEndPoint Target, string? User, IPAddress? Client, ListenerModel Listener, string? Mode)
{
    /// <summary>What a client on a unix socket is called.</summary>
    public const string UnixClient = "unix";

    /// <summary>The question, or which parameter is wrong and what is allowed.</summary>
    /// <param name="listeners">Those there are, in the order of the file.</param>
    public static (ExplainQuestion? Question, FieldProblem? Problem) Read(
        in ExplainParameters given, IReadOnlyList<ListenerModel> listeners)
    {
        if (string.IsNullOrEmpty(given.Target))
            return (null, new FieldProblem("target", "target is missing: host:port, for instance target=example.com:443"));
        if (!HostEndPoint.TryParseAuthority(given.Target, null, out var target, out string? problem))
            return (null, new FieldProblem("target", $"target must be host:port or [v6]:port: {problem}"));
        if (target.Port == 0)
            return (null, new FieldProblem("target", "target must have a port from 1 to 65535"));

        var (listener, wrong) = FindListener(given.Listener, listeners);
        if (listener is null)
            return (null, wrong);

        if (given.Mode is { } mode && !SelectionPolicyNames.All.Contains(mode))
            return (null, new FieldProblem("mode", "there is no such mode", SelectionPolicyNames.All));

        IPAddress? client = IPAddress.Loopback;
        if (given.Client == UnixClient)
            client = null;
        else if (given.Client is { } address && !AddressLiteral.TryParse(address, out client))
            return (null, new FieldProblem("client", $"client must be an IP address, or '{UnixClient}' for one on a unix socket"));

        string? user = given.User is null ? null : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(given.User));
        return (new ExplainQuestion(target, user, client, listener, given.Mode), null);
    }

    /// <summary>The one of a name, or NAME:PORT for one of the ports that are its sessions; the first where none is named.</summary>
    private static (ListenerModel? Listener, FieldProblem? Problem) FindListener(string? given, IReadOnlyList<ListenerModel> listeners)
    {
        string[] names = [.. listeners.Select(static one => one.Name)];
        if (names.Length == 0)
            return (null, new FieldProblem("listener", "no listener is open", names));
        if (given is null)
            return (listeners[0], null);
        if (Of(given) is { } whole)
            return (whole, null);
        int colon = given.LastIndexOf(':');
        if (colon < 0 || Of(given[..colon]) is not { } listener)
            return (null, new FieldProblem("listener", "there is no such listener", names));
        if (listener.SessionPorts is not { } ports)
            return (null, new FieldProblem("listener", $"listener {listener.Name} has no ports that are sessions", [listener.Name]));
        return int.TryParse(given.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            && listener.OfSessionPort(port) is { } one
                ? (one, null)
                : (null, new FieldProblem("listener", string.Create(
                    CultureInfo.InvariantCulture, $"listener {listener.Name} has the ports {ports.First} to {ports.Last}, as in "
                        + $"{listener.Name}:{ports.First}")));

        ListenerModel? Of(string name) =>
            listeners.FirstOrDefault(one => one.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
    }
}
