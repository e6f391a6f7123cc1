using TorBalancer.Transport;

namespace TorBalancer.Connecting;

/// <summary>Making connections in advance, and looking after those that stand.</summary>
internal sealed partial class PreconnectPool
{
    private async Task RunAsync(WorkerPreconnects own)
    {
        try
        {
            var made = await ConnectAsync(own.Way);
            bool stands = TryPut(own, made, out bool isKeeper);
            if (!stands && made is not null)
                await made.DisposeAsync();
            if (isKeeper)
                await KeepAsync();
        }
        finally
        {
            lock (_lock)
            {
                if (--_running == 0 && _isStopped)
                    _ended.TrySetResult();
            }
        }
    }

    private async Task<TransportConnection?> ConnectAsync(TransportConnectRequest way)
    {
        using var timer = new CancellationTokenSource(options.Value.WorkerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, _stopping.Token);
        try
        {
            return (await transport.ConnectAsync(way, either.Token)).Connection;
        }
        catch (Exception)
        {
            // Out of time, stopped, or whatever it was: none is made until an ordinary connect succeeds, which would say it.
            return null;
        }
    }

    /// <param name="isKeeper">The caller is the one to look after all that stands from now on.</param>
    private bool TryPut(WorkerPreconnects own, TransportConnection? made, out bool isKeeper)
    {
        lock (_lock)
        {
            isKeeper = false;
            own.Connecting--;
            own.IsPaused |= made is null;
            if (made is null || _isStopped || own.IsClosed)
            {
                Release_NeedsLock(1);
                return false;
            }

            own.Put(made, Now);
            isKeeper = !_isKept;
            _isKept = true;
            return true;
        }
    }

    /// <summary>Closes what is old, dead or of no use any more, until nothing stands.</summary>
    private async Task KeepAsync()
    {
        while (true)
        {
            // Taken before the workers are looked at: a change in between is seen in the next round.
            var changed = workers.Changed;
            var closing = new List<TransportConnection>();
            bool goesOn;
            lock (_lock)
                _isKept = goesOn = Sweep_NeedsLock(closing);
            await CloseAsync(closing);
            if (!goesOn)
                return;
            await changed.WaitAsync(LookInterval, time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>True when something still stands.</summary>
    private bool Sweep_NeedsLock(List<TransportConnection> closing)
    {
        bool any = false;
        foreach (var (way, own) in _ofWorkers)
        {
            if (_isStopped || !MayServe(own.WorkerId, way))
            {
                own.IsClosed = true;
                own.RemoveAllTo(closing);
                _ofWorkers.Remove(way);
            }
            else
            {
                own.RemoveTo(closing, Now - Longest);
                any |= own.Count > 0;
            }
        }

        Release_NeedsLock(closing.Count);
        return any;
    }

    private static async ValueTask CloseAsync(List<TransportConnection> closing)
    {
        foreach (var one in closing)
            await one.DisposeAsync();
    }
}
