using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>One attempt of a connect that has ended: the lease on its worker is the caller's.</summary>
/// <param name="Password">The isolation token as it was sent; null: none.</param>
internal readonly record struct ConnectAttempt(WorkerLease Lease, DialResult Result, TimeSpan Elapsed, string? Password = null)
{
    public bool Succeeded => !Result.Error.IsError;

    /// <summary>Undoes an attempt whose result nobody wants (the loser of a hedge); its worker is not blamed.</summary>
    public async ValueTask DiscardAsync()
    {
        Lease.Dispose();
        if (Result.Connection is not null)
            await Result.Connection.DisposeAsync();
    }
}
