namespace TorBalancer.Primitives;

/// <summary>How often each cause was met; <see cref="FailureCause.None"/> stands for success. Counting is one atomic addition.</summary>
internal sealed class CauseCounts
{
    private readonly long[] _counts = new long[FailureCauses.Count];

    /// <summary>How often this one was.</summary>
    public long this[FailureCause cause] => Interlocked.Read(ref _counts[(int)cause]);

    public void Add(FailureCause cause) => Interlocked.Increment(ref _counts[(int)cause]);
}
