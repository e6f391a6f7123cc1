namespace TorBalancer.Admin;

/// <summary>
/// What one operation holds of a <see cref="MemoryBudget"/>; disposing gives all of it back. One operation uses it, one step after the
/// other.
/// </summary>
internal sealed class MemoryShare : IDisposable
{
    private readonly MemoryBudget _budget;

    internal MemoryShare(MemoryBudget budget, long claim) => (_budget, Claim) = (budget, claim);

    /// <summary>Bytes that it holds.</summary>
    public long Held { get; private set; }

    /// <summary>Bytes that it may hold at most.</summary>
    public long Claim { get; private set; }

    /// <summary>True while it waits, and for good when it waited in vain.</summary>
    public bool IsShort { get; private set; }

    /// <summary>Takes more, when need be after others have ended.</summary>
    /// <exception cref="InsufficientMemoryException">It would be more than its claim: waiting cannot help.</exception>
    /// <exception cref="OperationCanceledException">It was waited in vain.</exception>
    public async ValueTask GrowAsync(long bytes, CancellationToken cancellationToken)
    {
        if (bytes <= 0)
            return;
        IsShort = true;
        if (Held + bytes > Claim)
            throw new InsufficientMemoryException();
        await _budget.GrowAsync(this, bytes, cancellationToken);
        IsShort = false;
    }

    /// <summary>Takes more if it can be had at once.</summary>
    public bool TryGrow(long bytes) => Held + bytes <= Claim && _budget.TryGrow(this, bytes);

    /// <summary>Gives back some of it, if it holds that much.</summary>
    public void Shrink(long bytes) => _budget.Lower(this, Math.Max(0, Held - bytes), Claim);

    /// <summary>It will not take more than this besides what it holds.</summary>
    public void Expect(long bytes) => _budget.Lower(this, Held, Held + bytes);

    public void Dispose() => _budget.Lower(this, 0, 0);

    /// <summary>For the budget, under its lock.</summary>
    internal void Set(long held, long claim) => (Held, Claim) = (held, claim);
}
