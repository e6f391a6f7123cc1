namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>One kind of attacker, in a process of its own.</summary>
internal abstract class Bot
{
    /// <summary>What it has done so far: connections, packets, passwords.</summary>
    public long Done { get; protected set; }

    /// <summary>What it holds now: connections.</summary>
    public int Held { get; protected set; }

    /// <summary>Does some of it; returns within some tens of milliseconds.</summary>
    public abstract void Turn();
}
