using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Daemon.Commands;

/// <summary>What <c>init</c> was told without --wireguard, as text; nothing is checked yet.</summary>
internal sealed record InitAnswers
{
    /// <summary>Where the workers' SocksPorts are to be, address or address:port; none: tor processes of the daemon's own.</summary>
    public IReadOnlyList<string> Workers { get; init; } = [];

    /// <summary>This machine's address as the workers see it; empty: not said.</summary>
    public string Gateway { get; init; } = "";

    /// <summary>The interface that a network is behind which is to be served; empty: none is.</summary>
    public string Interface { get; init; } = "";

    /// <summary>Where the programs of that network connect that know a proxy, unless it is said.</summary>
    public const string ListenForNetwork = "0.0.0.0:1080";

    /// <summary>Where clients connect.</summary>
    public string Listen { get; init; } = "127.0.0.1:1080";

    public string Mode { get; init; } = "round_robin";

    /// <summary>Tor processes of the daemon's own.</summary>
    public string Managed { get; init; } = "3";

    /// <summary>Control ports, with a password that is made for them.</summary>
    public bool HasControl { get; init; }
}

/// <summary>The same, checked.</summary>
/// <param name="Workers">Where each SocksPort is to be; none: <paramref name="Managed"/> processes of the daemon's own.</param>
/// <param name="Gateway">Who may use them.</param>
/// <param name="Listen">Where clients connect; on loopback, or with <c>AllowFrom</c> left to the operator.</param>
internal sealed record InitPlan(
    IReadOnlyList<IPEndPoint> Workers, IPAddress? Gateway, IPEndPoint Listen, string Mode, int Managed, bool HasControl)
{
    /// <summary>The network that this machine is the gateway of; null: of none.</summary>
    public GatewayNetwork? Network { get; init; }

    public const int DefaultSocksPort = 9050;

    /// <summary>The port beside its SocksPort, as 9051 is beside 9050: several tors may be on one host.</summary>
    public static int ControlPortOf(IPEndPoint worker) => worker.Port == IPEndPoint.MaxPort ? worker.Port - 1 : worker.Port + 1;

    private const int MostManaged = ManagedWorkersOptions.MostWorkers;

    /// <summary>The plan, or what is wrong with the first answer that is, and what is allowed.</summary>
    public static (InitPlan? Plan, string Problem) Create(InitAnswers answers)
    {
        if (AddressText.ParseIPEndPoint(answers.Listen, out var listen) is not null || listen.Port == 0)
            return (null, $"--listen {answers.Listen} is not an IP address with a port, such as 127.0.0.1:1080");
        if (Takes(listen, AdminOptions.DefaultAddress))
            return (null, $"--listen {listen} is where the admin API is, {AdminOptions.DefaultAddress}; allowed is another port");
        if (!SelectionPolicyNames.All.Contains(answers.Mode, StringComparer.OrdinalIgnoreCase))
            return (null, $"--mode {answers.Mode} is not allowed; allowed are {string.Join(", ", SelectionPolicyNames.All)}");
        if (!int.TryParse(answers.Managed, NumberStyles.None, CultureInfo.InvariantCulture, out int managed)
            || managed is 0 or > MostManaged)
            return (null, $"--managed {answers.Managed} is not a number from 1 to {MostManaged}");
        var workers = new List<IPEndPoint>();
        foreach (string written in answers.Workers)
        {
            string text = written;

            // A name would be looked up outside Tor each time the worker is used.
            if (AddressText.TryLiteral(text, out var address))
                text = new IPEndPoint(address, DefaultSocksPort).ToString();
            if (AddressText.ParseIPEndPoint(text, out var worker) is not null || worker.Port == 0)
                return (null, $"--worker {written} is not an IP address, or one with a port; a name would be looked up outside Tor");
            if (workers.Contains(worker))
                return (null, $"--worker {worker} is given twice");
            if (Takes(listen, worker))
                return (null, $"--worker {worker} is where programs connect to the daemon itself, --listen {listen}");
            if (worker.Equals(AdminOptions.DefaultAddress))
                return (null, $"--worker {worker} is where the admin API is; allowed is another port");
            workers.Add(worker);
        }

        IPAddress? gateway = null;
        if (answers.Gateway.Length > 0 && !AddressText.TryLiteral(answers.Gateway, out gateway!))
            return (null, $"--gateway {answers.Gateway} is not an IP address");
        if (gateway is not null && workers.Find(worker => worker.AddressFamily != gateway.AddressFamily) is { } other)
        {
            return (
                null, $"--worker {other} and --gateway {gateway} cannot go together: one is IPv4 and the other IPv6, so that this worker "
                    + "never sees that address; one init for each family writes what belongs together");
        }

        if (gateway is null && workers.Exists(static worker => !IPAddress.IsLoopback(worker.Address)))
        {
            return (
                null,
                "say who may use those workers: --gateway ADDRESS, this machine's address as they see it. Without it anybody could");
        }

        var ports = workers.Select(static worker => new IPEndPoint(worker.Address, ControlPortOf(worker))).ToList();
        if (answers.HasControl && (ports.Distinct().Count() < ports.Count || ports.Exists(workers.Contains)))
            return (null, "a control port would be where another worker is: give the workers of one address ports that are two apart");
        GatewayNetwork? network = null;
        if (answers.Interface.Length > 0)
        {
            (network, string problem) = GatewayNetwork.Create(answers.Interface, listen);
            if (network is null)
                return (null, problem);
        }

        return (
            new InitPlan(workers, gateway, listen, answers.Mode.ToLowerInvariant(), managed, answers.HasControl) { Network = network }, "");
    }

    /// <summary>Whether who listens at the one address leaves no room for the other.</summary>
    private static bool Takes(IPEndPoint listener, IPEndPoint other) =>
        listener.Port == other.Port && (listener.Address.Equals(other.Address)
            || (IPAddress.IsLoopback(other.Address)
                && (listener.Address.Equals(IPAddress.IPv6Any) || listener.Address.Equals(
                    other.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any))));
}
