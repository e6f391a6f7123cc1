using System.Net;
using System.Net.NetworkInformation;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>What this machine has for attacks: processors, and perhaps an interface that leads nowhere.</summary>
internal static class AttackMachine
{
    /// <summary>Of the interface that eng/attacks.sh makes in a namespace of its own.</summary>
    public static IPAddress NowhereAddress { get; } = IPAddress.Parse("198.18.0.1");

    /// <summary>True when that interface is here.</summary>
    public static bool HasNowhere => NetworkInterface.GetAllNetworkInterfaces().Any(
        static one => one.GetIPProperties().UnicastAddresses.Any(static address => address.Address.Equals(NowhereAddress)));

    /// <summary>
    /// Clients that a daemon here can carry, by the limit of descriptors that it inherits from us, in whole thousands: two each, and some
    /// that are kept.
    /// </summary>
    public static int Room { get; } = RoomOf(File.ReadLines("/proc/self/limits"));

    /// <summary>
    /// In front of a command whose process goes before what else this machine does, so that the figures are its own (nice(1)); empty
    /// where that is not allowed. What serves and is served goes before what attacks.
    /// </summary>
    public static string Preferred { get; } = Environment.IsPrivilegedProcess ? "nice -n -20 " : "";

    /// <inheritdoc cref="Preferred"/>
    public static string Attacking { get; } = Environment.IsPrivilegedProcess ? "nice -n -10 " : "nice -n 10 ";

    /// <summary>
    /// The first half, for taskset(1). The other half is the attackers', the workers' and the bystander's: eng/attacks.sh has put us there.
    /// </summary>
    public static string DaemonProcessors { get; } = Environment.GetEnvironmentVariable("ATTACKS_DAEMON_CORES") ?? "0";

    private static int RoomOf(IEnumerable<string> limits)
    {
        string line = limits.First(static line => line.StartsWith("Max open files", StringComparison.Ordinal));
        return int.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], out int limit)
            ? (limit - (limit / 20) - 500) / 2000 * 1000
            : int.MaxValue;
    }
}
