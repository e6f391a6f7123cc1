using System.Net;
using System.Text.Json;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Doctor;

/// <summary>All that was learnt before any judgement: nothing is asked for in a check.</summary>
/// <param name="Configuration">As it is read now; a daemon that runs may have read another one.</param>
/// <param name="Daemon">What answers on the admin API.</param>
/// <param name="Workers">The configured ones, or those that the daemon has started, each looked at.</param>
/// <param name="System">This machine.</param>
/// <param name="Now">The clock of this machine when the workers were asked.</param>
internal sealed record Patient(
    ConfigurationResult Configuration, DaemonState Daemon, IReadOnlyList<ExaminedWorker> Workers, SystemFacts System, DateTimeOffset Now)
{
    public TorBalancerOptions Options => Configuration.Options;

    /// <summary>The rules that are loaded; null: the configuration is no gateway's, and they were not asked for.</summary>
    public FirewallState? Firewall { get; init; }

    /// <summary>True when tor processes of the daemon's own are the workers.</summary>
    public bool IsManaged => Options.UsesManagedWorkers && Options.ManagedWorkers.Count > 0;
}

/// <summary>The daemon, as far as it answers.</summary>
/// <param name="Workers">Of GET /api/v1/workers; null: nobody answers.</param>
/// <param name="Problem">Why nobody answers; empty when somebody does.</param>
/// <param name="IsForbidden">True when there is a socket that this user may not use.</param>
/// <param name="ProcessId">Of who holds the unix socket; null: it was not asked by one.</param>
internal sealed record DaemonState(JsonElement? Workers, string Problem, bool IsForbidden = false, int? ProcessId = null)
{
    public bool IsRunning => Workers is not null;
}

/// <summary>What answered on a worker's SocksPort.</summary>
internal enum SocksAnswer : byte
{
    /// <summary>It was not asked.</summary>
    None,

    /// <summary>Nothing accepts connections there.</summary>
    Unreachable,

    /// <summary>Tor: it knows RESOLVE.</summary>
    Tor,

    /// <summary>Tor with SafeSocks 1: it knows RESOLVE, and refuses whoever gives it an address in place of a name.</summary>
    SafeSocks,

    /// <summary>A SOCKS5 server that is not tor.</summary>
    OtherSocks,

    /// <summary>No SOCKS5 at all.</summary>
    NoSocks,
}

/// <summary>One worker, looked at from outside.</summary>
/// <param name="Model">As configured.</param>
/// <param name="Socks">What answered.</param>
/// <param name="SocksProblem">Why nothing did, or what came instead.</param>
/// <param name="Control">What its control port said; null: it has none.</param>
internal sealed record ExaminedWorker(WorkerModel Model, SocksAnswer Socks, string SocksProblem, ControlState? Control)
{
    public string Id => Model.Id;

    /// <summary>True when a network that others may read lies between it and us.</summary>
    public bool IsOverNetwork(EndPoint? port) => Model.Link is null && port is IPEndPoint ip && !IPAddress.IsLoopback(ip.Address);
}

/// <summary>What a control port said.</summary>
internal sealed record ControlState
{
    /// <summary>Why nobody was let in; null: we were.</summary>
    public string? Problem { get; init; }

    /// <summary>True when it is there, and our cookie or password is what does not do.</summary>
    public bool IsRefused { get; init; }

    /// <summary>True when it asks for neither cookie nor password.</summary>
    public bool IsOpen { get; init; }

    public TorVersion? Version { get; init; }

    /// <summary>What the directory authorities say of the version: recommended, obsolete, …; empty: nothing yet.</summary>
    public string VersionStatus { get; init; } = "";

    public BootstrapStatus Bootstrap { get; init; } = BootstrapStatus.None;

    public bool IsNetworkLive { get; init; } = true;

    /// <summary>The clock of tor's machine, and ours when it was asked; null: it is too old to say.</summary>
    public (DateTimeOffset Theirs, DateTimeOffset Ours)? Clock { get; init; }

    /// <summary>Between which times its list of relays may be used; null: it has none.</summary>
    public (DateTimeOffset From, DateTimeOffset Until)? Consensus { get; init; }

    /// <summary>Null: it does not say.</summary>
    public bool? HasGeoIP { get; init; }

    /// <summary>Exits in the worker's country; null: there is none, or they were not counted.</summary>
    public int? CountryExits { get; init; }

    /// <summary>Its settings; a list has several entries. Without those that it does not know.</summary>
    public IReadOnlyList<KeyValuePair<string, string?>> Settings { get; init; } = [];

    /// <summary>The line of the SocksPort that we use, flags and all; null: there are several and none is like ours.</summary>
    public string? SocksLine { get; init; }

    /// <summary>The first value of a setting; null: it is not known or not set.</summary>
    public string? Setting(string name) =>
        Settings.FirstOrDefault(one => one.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>Whether the SocksPort's line has a flag.</summary>
    public bool HasFlag(string flag) => SocksLine?.Split(' ').Contains(flag, StringComparer.OrdinalIgnoreCase) == true;
}
