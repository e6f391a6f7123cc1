using System.Net.Sockets;
using TorBalancer.Primitives;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// Protects clients from a fault of older tors (<see cref="TorFault.OnionCircuitOfClosedStream"/>): when a stream to an onion service is
/// closed before its circuit is ready, the circuit forgets whose it is and may carry another client's next stream. So an attempt that is
/// given up, because the client left, the time was over or another worker was faster, stays open here until tor has answered it.
/// </summary>
/// <remarks>A tor whose version nobody knows may be such a one: without a control port all of them are treated as older ones.</remarks>
internal sealed class UnreadyOnionStreams(WorkerPool pool, ITorVersions versions, DescriptorBudget descriptors, TimeProvider time)
    : IAsyncDisposable
{
    /// <summary>Beyond these streams are closed at once, as all are without this.</summary>
    internal const int Most = 256;

    /// <summary>Two bytes for the method that was chosen, two for the password (RFC 1928, section 3; RFC 1929).</summary>
    private const int HandshakeAnswers = 4;

    /// <summary>tor answers of itself after 120 s (SocksTimeout in tor(1)).</summary>
    internal static readonly TimeSpan Longest = TimeSpan.FromSeconds(150);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<TaskCompletionSource> _kept = [];
    private bool _isStopping;

    /// <summary>
    /// False while one of the workers is known to be such a tor: the loser of two attempts would be kept for nothing, and where there is
    /// no room for it, be closed too early.
    /// </summary>
    public bool MayHedge => !Array.Exists(
        pool.Snapshot.AllWorkers,
        worker => versions.VersionOf(worker.Id) is { } version && TorFault.OnionCircuitOfClosedStream.Has(version));

    /// <summary>Streams that are kept open now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _kept.Count;
        }
    }

    /// <summary>True when the connection is kept, and disposed later: it is no longer the caller's.</summary>
    /// <param name="connection">The request was sent on it, and nobody reads from it any more.</param>
    public bool TryKeep(WorkerModel worker, HostEndPoint target, TransportConnection connection)
    {
        if (!target.IsOnion || !worker.IsTor
            || (versions.VersionOf(worker.Id) is { } version && !TorFault.OnionCircuitOfClosedStream.Has(version)))
            return false;

        // The client's promise of a descriptor ends with the client.
        if (!descriptors.TryTakeSpare(1))
            return false;
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool isTaken;
        lock (_lock)
            isTaken = !_isStopping && _kept.Count < Most && _kept.Add(ended);
        if (isTaken)
            _ = KeepAsync(ended, connection);
        else
            descriptors.Return(1);
        return isTaken;
    }

    /// <summary>Closes all that are kept.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] kept;
        lock (_lock)
        {
            if (_isStopping)
                return;
            _isStopping = true;
            kept = [.. _kept.Select(static ended => ended.Task)];
        }

        await _stop.CancelAsync();
        await Task.WhenAll(kept);
        _stop.Dispose();
    }

    /// <param name="ended">Completed at the end, whatever it is.</param>
    private async Task KeepAsync(TaskCompletionSource ended, TransportConnection connection)
    {
        try
        {
            using var longest = new CancellationTokenSource(Longest, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(longest.Token, _stop.Token);

            // The answers to greeting and password may not have been read: they are four bytes at most. What is longer, or the end, is
            // tor's answer to the request.
            while (await connection.Input.ReadAsync(both.Token) is { IsCompleted: false, Buffer: { Length: <= HandshakeAnswers } some })
                connection.Input.AdvanceTo(some.Start, some.End);
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException or SocketException)
        {
            // It is over all the same.
        }
        finally
        {
            await EndAsync(ended, connection);
        }
    }

    private async Task EndAsync(TaskCompletionSource ended, TransportConnection connection)
    {
        try
        {
            await connection.DisposeAsync();
        }
        finally
        {
            descriptors.Return(1);
            lock (_lock)
                _kept.Remove(ended);
            ended.SetResult();
        }
    }
}
