using System.Net;
using TorBalancer.Benchmarks.Attacks.Bots;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>What the daemon has of its machine.</summary>
internal readonly record struct Holdings(int Descriptors, int Threads, double ResidentMiB)
{
    public static Holdings Of(int process) => new(
        ProcessFacts.Descriptors(process), ProcessFacts.Threads(process), ProcessFacts.ResidentKiB(process) / 1024.0);

    public Holdings Most(in Holdings other) => new(
        Math.Max(Descriptors, other.Descriptors), Math.Max(Threads, other.Threads), Math.Max(ResidentMiB, other.ResidentMiB));
}

/// <summary>A daemon of its own for one attack, on the first half of the processors.</summary>
internal sealed class AttackedDaemon : IDisposable
{
    private readonly ChildProcess _process;

    private AttackedDaemon(ChildProcess process, IPEndPoint address) => (_process, Address) = (process, address);

    public IPEndPoint Address { get; }

    public BotTarget Target => BotTarget.Of(Address);

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <param name="executable">The daemon.</param>
    /// <param name="directory">For its configuration and its log.</param>
    /// <param name="workers">The stub workers' ports: for bystanders and for attackers.</param>
    public static AttackedDaemon Start(string executable, string directory, Attack attack, (int Quiet, int Busy) workers)
    {
        var host = attack.IsHalfOpen ? AttackMachine.NowhereAddress : IPAddress.Loopback;
        var address = new IPEndPoint(host, LoopbackSocket.FreePort());
        string users = Path.Combine(directory, "users");
        if (attack.HasUsers)
        {
            foreach (string name in (string[])[AttackUsers.Bystander.Split('-')[0], AttackUsers.Victim])
            {
                string secret = name == AttackUsers.Victim ? "not " + AttackUsers.Password : AttackUsers.Password;
                if (ChildProcess.OutputOf($"sh -c 'echo \"{secret}\" | {executable} user add --file {users} {name}'") is null)
                    throw new InvalidOperationException($"{executable} user add failed");
            }
        }

        string file = Path.Combine(directory, "torbalancer.conf");
        File.WriteAllText(file, $"""
            [Listener:main]
            Address = {address}
            {(attack.IsHalfOpen ? "AllowFrom = 198.18.0.0/15" : "")}
            {(attack.HasUsers ? $"Auth = required\nUsersFile = {users}" : "")}
            {attack.Listener}
            [Admin]
            Address = none
            Socket = none

            [Health]
            Enabled = no

            [Worker:quiet]
            Address = 127.0.0.1
            SocksPort = {workers.Quiet}

            [Worker:busy]
            Address = 127.0.0.1
            SocksPort = {workers.Busy}
            """);
        string log = Path.Combine(directory, "log");
        string limit = attack.Descriptors > 0 ? $"prlimit --nofile={attack.Descriptors}:{attack.Descriptors} " : "";
        var process = ChildProcess.Start(
            $"{AttackMachine.Preferred}{limit}taskset -c {AttackMachine.DaemonProcessors} {executable} run --config {file} >{log} 2>&1",
            null);
        for (double began = ProcessFacts.Now(); ;)
        {
            if (File.Exists(log) && File.ReadAllText(log).Contains("Ready:", StringComparison.Ordinal))
                return new AttackedDaemon(process, address);
            if (process.HasExited || ProcessFacts.Now() - began > 20)
            {
                process.Dispose();
                throw new InvalidOperationException($"the daemon did not start:\n{(File.Exists(log) ? File.ReadAllText(log) : "")}");
            }

            Task.Delay(50).Wait();
        }
    }

    public void Dispose() => _process.Dispose();
}
