using System.Text;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>
/// Names of the clients. Each asks for a worker of its own (docs/balancing.md), so that the bystander never waits for the worker that the
/// attackers keep busy.
/// </summary>
internal static class AttackUsers
{
    public const string Bystander = "bystander-worker-quiet", Busy = "attacker-worker-busy", Password = "swordfish";

    /// <summary>Whose password is guessed at.</summary>
    public const string Victim = "victim";

    /// <summary>For Proxy-Authorization (RFC 7617).</summary>
    public static string BusyBasic => Convert.ToBase64String(Encoding.ASCII.GetBytes($"{Busy}:{Password}"));
}
