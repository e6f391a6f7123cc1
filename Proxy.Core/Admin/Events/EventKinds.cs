using TorBalancer.Admin.Reload;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Admin.Events;

/// <summary>
/// Which lines of the log are events for whoever follows them, by the lines' ids. Only lines that name no target, no client and no session
/// may stand here. Words are contract.
/// </summary>
internal static class EventKinds
{
    private static readonly Dictionary<int, string> Words = new()
    {
        [HealthEventIds.WorkerRecovered] = "worker_state",
        [HealthEventIds.WorkerChanged] = "worker_state",
        [HealthEventIds.DemotionFrozen] = "demotion",
        [HealthEventIds.DemotionThawed] = "demotion",
        [HealthEventIds.TunnelsEnded] = "tunnels_ended",
        [AlertEventIds.Alert] = "alert",
        [ReloadEventIds.Reloaded] = "reload",
        [ReloadEventIds.ReloadFailed] = "reload",
        [ReloadEventIds.UsersRead] = "users",
        [ReloadEventIds.UsersNotRead] = "users",
        [ReloadEventIds.WorkerAdded] = "worker_added",
        [ReloadEventIds.WorkerLeaves] = "worker_leaves",
        [ReloadEventIds.WorkerGone] = "worker_gone",
        [AdminEventIds.WorkerDraining] = "worker_drain",
        [AdminEventIds.WorkerEnabled] = "worker_enable",
        [AdminEventIds.SessionRotated] = "session_rotated",
        [AdminEventIds.ConnectionClosed] = "connection_closed",
        [RelayEventIds.WatchConnected] = "control_port",
        [RelayEventIds.WatchLost] = "control_port",
        [RelayEventIds.WatchRefused] = "control_port",
        [RelayEventIds.RelayListed] = "relay_listed",
        [RelayEventIds.RelayRemoved] = "relay_removed",
        [RelayEventIds.ListEmptied] = "relay_removed",
        [RelayEventIds.CircuitBroken] = "circuit_rebuilt",
        [RelayEventIds.RebuildGivenUp] = "circuit_stuck",
        [ServerEventIds.Listening] = "listener",
        [ServerEventIds.ListenerFull] = "listener",
        [ServerEventIds.AcceptPaused] = "listener",
        [ServerEventIds.AcceptHeld] = "listener",
        [ServerEventIds.AcceptHeldByMemory] = "listener",
        [ServerEventIds.CertificateRenewed] = "certificate",
        [ServerEventIds.CertificateKept] = "certificate",
        [ServerEventIds.HandedOver] = "takeover",
        [ServerEventIds.TakenOver] = "takeover",
        [ServerEventIds.Draining] = "stopping",
        [ServerEventIds.DrainEnded] = "stopping",
    };

    /// <summary>The logs that such lines are written to. Others are not listened to, so that they cost nothing more.</summary>
    public static IReadOnlyList<string> Categories { get; } =
    [
        typeof(HealthMonitor).FullName!, typeof(AdminCommands).FullName!, typeof(RelayWatchService).FullName!,
        typeof(ProxyServer).FullName!, typeof(ListenerCertificates).FullName!, typeof(ConfigurationReloader).FullName!,
    ];

    /// <summary>All words, in alphabetical order.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Words.Values.Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The word of a line; null: it is none.</summary>
    public static string? Of(int eventId) => Words.GetValueOrDefault(eventId);
}
