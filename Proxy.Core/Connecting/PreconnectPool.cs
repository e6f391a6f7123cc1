using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// Connections to workers that are reached over a network, made before they are needed: a dial then saves the round trip
/// of TCP's handshake. Nothing is sent on one before it is taken, and it is taken once. On this machine the handshake
/// costs nothing, so there is nothing for workers on it.
/// </summary>
/// <remarks>
/// As many are kept as were used in the last seconds, and none for longer than <see cref="Longest"/>. They are made and
/// closed in the background only. Whether one can be made says nothing about the worker: its probes do.
/// </remarks>
internal sealed partial class PreconnectPool(
    ITransport transport, WorkerPool workers, Live<ConnectOptions> options, TimeProvider time,
    DescriptorBudget? descriptors = null) : IAsyncDisposable
{
    /// <summary>Standing or under way, for all workers.</summary>
    public const int MostInAll = 64;

    /// <summary>tor closes one that has not asked for anything after its SocksTimeout (two minutes), a NAT perhaps sooner.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    /// <summary>How often those that stand are looked at; a change of the workers is seen at once.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(5);

    private readonly DescriptorBudget _descriptors = descriptors ?? DescriptorBudget.Unlimited();
    private readonly Lock _lock = new();
    private readonly Dictionary<TransportConnectRequest, WorkerPreconnects> _ofWorkers = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _started = time.GetTimestamp();
    private int _inAll;
    private int _running;
    private bool _isKept;
    private bool _isStopped;
    private bool _givesBack;

    /// <summary>For tests, which have no other network.</summary>
    internal bool IncludesLoopback { get; init; }

    /// <summary>How many connections are kept.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
                return _ofWorkers.Values.Sum(static own => own.Count);
        }
    }

    private TimeSpan Now => time.GetElapsedTime(_started);

    /// <summary>A connection to the worker's SocksPort on which nothing was ever sent; null: make one.</summary>
    public TransportConnection? TryTake(WorkerModel worker)
    {
        if (!IsFar(worker))
            return null;
        while (Pop(WayTo(worker)) is { } ready)
        {
            if (ready.TryClaim())
            {
                Queue(worker, isNew: false);
                return ready;
            }

            ready.Abort();
        }

        return null;
    }

    /// <summary>
    /// A dial has connected to the worker by itself. From now on connections to it are made in advance, as many as are used.
    /// </summary>
    public void Connected(WorkerModel worker)
    {
        if (IsFar(worker))
            Queue(worker, isNew: true);
    }

    /// <summary>One that was taken turned out to be dead, and so may be those beside it.</summary>
    public async ValueTask DropAsync(WorkerModel worker)
    {
        var closing = new List<TransportConnection>();
        lock (_lock)
        {
            if (_ofWorkers.TryGetValue(WayTo(worker), out var own))
                own.RemoveAllTo(closing);
            Release_NeedsLock(closing.Count);
        }

        await CloseAsync(closing);
    }

    /// <summary>Closes all, and waits for what is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            if (_isStopped)
                return;
            _isStopped = true;
            if (_running == 0)
                _ended.TrySetResult();
        }

        // The keeper closes what stands; there is one whenever something does.
        await _stopping.CancelAsync();
        await _ended.Task;
        _stopping.Dispose();
    }

    private static TransportConnectRequest WayTo(WorkerModel worker) => worker.RequestTo(worker.SocksEndPoint);

    private bool IsFar(WorkerModel worker) =>
        options.Value.PreConnect > 0
            && worker.SocksEndPoint is IPEndPoint { Address: var address }
            && (IncludesLoopback || !IPAddress.IsLoopback(address));

    private TransportConnection? Pop(TransportConnectRequest way)
    {
        lock (_lock)
        {
            var taken = _isStopped || !_ofWorkers.TryGetValue(way, out var own) ? null : own.TryTake();
            if (taken is not null)
                Release_NeedsLock(1);
            return taken;
        }
    }

    /// <summary>What a dial leads to happens behind it, not on its way.</summary>
    private void Queue(WorkerModel worker, bool isNew) => ThreadPool.UnsafeQueueUserWorkItem(
        static work => work.Sockets.TopUp(work.Worker, work.IsNew), (Sockets: this, Worker: worker, IsNew: isNew), preferLocal: false);

    private void TopUp(WorkerModel worker, bool isNew)
    {
        WorkerPreconnects? own;
        int missing;
        lock (_lock)
        {
            var way = WayTo(worker);
            if (_isStopped || !MayServe(worker.Id, way))
                return;
            if (!_ofWorkers.TryGetValue(way, out own))
                _ofWorkers.Add(way, own = new WorkerPreconnects(worker.Id, way));
            own.CountUse(Now);
            own.IsPaused &= !isNew;
            missing = TakeUpTo_NeedsLock(Math.Min(own.Missing(options.Value.PreConnect), MostInAll - _inAll));
            own.Connecting += missing;
            _inAll += missing;
            _running += missing;
        }

        // Counted as running, and waited for by that.
        for (; missing > 0; missing--)
            _ = RunAsync(own);
    }

    /// <summary>As many as there are descriptors for that no client waits for.</summary>
    private int TakeUpTo_NeedsLock(int wanted)
    {
        if (!_givesBack)
        {
            _givesBack = true;
            _descriptors.Add(static () => 0, GiveBack);
        }

        int taken = 0;
        while (taken < wanted && _descriptors.TryTakeSpare(1))
            taken++;
        return taken;
    }

    /// <summary>One that a dial takes is that client's from then on, to which one was promised.</summary>
    private void Release_NeedsLock(int count)
    {
        _inAll -= count;
        _descriptors.Return(count);
    }

    /// <summary>Clients wait for descriptors: those that are kept are let go.</summary>
    private void GiveBack()
    {
        var closing = new List<TransportConnection>();
        lock (_lock)
        {
            foreach (var own in _ofWorkers.Values)
                own.RemoveAllTo(closing);
            Release_NeedsLock(closing.Count);
        }

        closing.ForEach(static one => one.Abort());
    }

    private bool MayServe(string workerId, TransportConnectRequest way) =>
        workers.Find(workerId) is { IsEligible: true } worker && WayTo(worker.Model) == way;
}
