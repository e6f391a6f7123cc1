using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Primitives;
using TorBalancer.Server.Limits;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>Accepts the connections of one listener and starts each. Nothing that a client or the kernel does ends the loop.</summary>
/// <param name="first">What it goes by until <see cref="Model"/> is replaced.</param>
internal sealed partial class ProxyListener(ITransportListener listener, ListenerModel first, ConnectionServices services, ILogger logger)
{
    /// <summary>
    /// How often it is looked whether somebody has come, while there is too little left to hold a place for nobody. Who comes then waits
    /// for the next look, and a look is one system call.
    /// </summary>
    private static readonly TimeSpan QueueLook = TimeSpan.FromMilliseconds(5);

    /// <summary>All ports of a range together look no more often than so many listeners.</summary>
    private const int LooksOfARange = 20;

    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(50), MaxPause = TimeSpan.FromSeconds(1);

    private readonly DescriptorBudget _descriptors = services.Descriptors;
    private readonly MemoryRoom _memory = services.Memory;
    private readonly TimeProvider _time = services.Time;
    private volatile ListenerPlaces _places = services.PlacesOf(first);
    private volatile ListenerModel _model = first;
    private volatile ListenerCounters _counters = services.Counters.Of(first);
    private long _heldSaidAt;
    private int _failures;
    private Lack _lack;
    private TimeSpan _pause;

    // Ends the accept that is under way. It is asked to from any thread when others wait and this one has nobody.
    private CancellationTokenSource? _accepting;
    private volatile bool _isIdle;

    /// <summary>What there was none of for another client.</summary>
    private enum Lack
    {
        None,

        /// <summary>And nobody has come who would need one.</summary>
        Clients,
        Descriptors,
        Memory,
    }

    /// <summary>
    /// What connections go by that are accepted from now on; those that live keep what they began with, but for the users.
    /// </summary>
    public ListenerModel Model
    {
        get => _model;
        set
        {
            // They go by its name.
            _counters = services.Counters.Of(value);

            _places = services.PlacesOf(value);

            // Connections that live keep their rules, but not users who are gone. Ports of a range share them: one that is another
            // listener's from now on leaves those of the others alone.
            if (_model.Name == value.Name || _model.SessionPorts is null)
                _model.Users.ReplaceBy(value.Users);
            services.Limiter.Apply(value);
            _model = value;
        }
    }

    public EndPoint LocalEndPoint => listener.LocalEndPoint;

    /// <summary>Another process of ours, which may go on with it, has handed it over: who waits at it is not ours if it does.</summary>
    public bool IsHandedOver { get; init; }

    /// <inheritdoc cref="ITransportListener.Socket"/>
    public Socket? Socket => listener.Socket;

    /// <inheritdoc cref="ITransportListener.OwnsFile"/>
    public bool OwnsFile => listener.OwnsFile;

    /// <summary>The port is another process's from now on: closing leaves it open, and those who wait at it to the other one.</summary>
    public ValueTask LeaveAsync()
    {
        listener.Leave();
        return listener.DisposeAsync();
    }

    private TimeSpan QueueLooks => QueueLook * Math.Max(1, (_model.SessionPorts?.Count ?? 1) / LooksOfARange);

    /// <summary>Runs until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        services.Limiter.Apply(_model);
        using var pressed = _descriptors.WhenPressed(GivePlaceBack);
        while (!stopping.IsCancellationRequested)
        {
            await listener.RunAsync(() => AcceptAsync(stopping));
            if (_lack == Lack.Descriptors)
                await _descriptors.WaitAsync(_time, stopping);
            else if (!stopping.IsCancellationRequested)
            {
                await PauseAsync(
                    _lack switch { Lack.Memory => MemoryRoom.LookInterval, Lack.Clients => QueueLooks, _ => _pause }, stopping);
            }

            if (_lack == Lack.Memory)
            {
                _memory.Collect();
                _descriptors.Finished.EndOldest();
                services.Registry.MakeRoom(_time);
            }
        }
    }

    /// <summary>Accepts until it stops or until a pause is needed; what comes after a pause begins where accepting is cheapest.</summary>
    private async Task AcceptAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            _lack = Take();
            if (_lack != Lack.None)
            {
                if (_lack != Lack.Clients)
                    SayHeld();
                return;
            }

            bool isAdmitted = false;
            try
            {
                var accepting = listener.AcceptAsync(AcceptsUntil(stopping));
                _isIdle = !accepting.IsCompleted;
                var connection = await accepting;
                _isIdle = false;
                _pause = TimeSpan.Zero;
                _failures = 0;
                isAdmitted = Admit(connection);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (OperationCanceledException)
            {
                // Its place was needed by another listener's client, which is to have it before it is looked for here again.
                _lack = Lack.Clients;
                return;
            }
            catch (SocketException failure) when (IsResourcePressure(failure.SocketErrorCode))
            {
                // The connection stays in the kernel's queue and is accepted when descriptors come back.
                if (_pause == TimeSpan.Zero)
                    Log.Paused(logger, _model.Name, failure.SocketErrorCode);
                LengthenPause();
                return;
            }
            catch (SocketException failure)
            {
                // One client's connection broke before it was accepted; the others are not concerned. If that is what it was:
                // an error that comes again and again is another's, and asking without a pause only burns a processor.
                Log.AcceptFailed(logger, _model.Name, failure.SocketErrorCode);
                if (++_failures < 2)
                    continue;
                if (_pause == TimeSpan.Zero)
                    Log.Paused(logger, _model.Name, failure.SocketErrorCode);
                LengthenPause();
                return;
            }
            catch (ObjectDisposedException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure)
            {
                // No memory for another connection, or a fault of ours: either way it concerns one client.
                Log.LoopFailed(logger, failure, _model.Name);
                LengthenPause();
                return;
            }
            finally
            {
                _isIdle = false;
                if (!isAdmitted)
                    _descriptors.Return(DescriptorBudget.OfAClient);
            }
        }
    }

    /// <summary>
    /// Promises a place before anybody is accepted: whom there is no room for waits in the kernel's queue. While there is plenty the place
    /// may wait for its client; of the last ones none is taken before somebody has come.
    /// </summary>
    private Lack Take()
    {
        if (!_descriptors.TryTakeSpare(DescriptorBudget.OfAClient))
        {
            if (!listener.HasQueued)
                return Lack.Clients;
            if (!_descriptors.TryTake(DescriptorBudget.OfAClient))
                return Lack.Descriptors;
        }

        if (_memory.TryTake(services.Registry.Count, OfAClient))
            return Lack.None;
        _descriptors.Return(DescriptorBudget.OfAClient);
        return Lack.Memory;
    }

    private CancellationToken AcceptsUntil(CancellationToken stopping)
    {
        if (_accepting is null or { IsCancellationRequested: true })
        {
            _accepting?.Dispose();
            _accepting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        }

        return _accepting.Token;
    }

    private bool GivePlaceBack()
    {
        if (!_isIdle)
            return false;
        try
        {
            _accepting?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Another one has just done it.
        }

        return true;
    }

    /// <summary>Closes the port. Clients that the kernel had let in already are served: they believe that they are connected.</summary>
    public ValueTask CloseAsync()
    {
        bool any = true;
        while (any && _memory.TryTake(services.Registry.Count, OfAClient) && _descriptors.TryTake(DescriptorBudget.OfAClient))
        {
            var queued = listener.TryAccept();
            any = queued is not null;
            if (!any || !Admit(queued!))
                _descriptors.Return(DescriptorBudget.OfAClient);
        }

        return listener.DisposeAsync();
    }

    private long OfAClient => _model.Tls is null ? MemoryRoom.OfAClient : MemoryRoom.OfATlsClient;

    /// <summary>True when it was started; from then on its place gives the descriptors back.</summary>
    private bool Admit(TransportConnection connection)
    {
        var model = _model;
        var address = connection.RemoteAddress;
        if (address is { IsIPv4MappedToIPv6: true })
            address = address.MapToIPv4();

        // Of one that is to say whom it speaks for, that client's address is judged, when it is known.
        bool speaksForOthers = model.ProxyProtocol is { } peers && peers.Contains(address);
        if (!speaksForOthers && model.Admits(address).IsError)
        {
            _counters.CountNotAllowed();
            Log.NotAllowed(logger, model.Name);
            connection.Abort();
            return false;
        }

        ClientAccount? account = null;
        bool mayAnswer = true;
        var refusal = model.Limits is { } limits
            ? services.Limiter.Of(model).Enter(limits, speaksForOthers ? null : address, out account, out mayAnswer).Error : default;
        if (!refusal.IsError && !_places.TryTake(model.MaxConnections))
        {
            SayFull(model);
            account?.Leave(wasRefused: false);
            account = null;
            refusal = LimitKind.MaxConnections.ToError(default);
        }

        // Who is refused is to hear why, which takes a request of his; many at a time that send none are not waited for.
        // One who believes that he speaks with his target cannot be told.
        if (refusal.IsError && !(mayAnswer && !model.IsTransparent && _places.TryTakeForRefusal()))
        {
            account?.Leave(wasRefused: true);
            connection.Abort();
            return false;
        }

        var context = new ConnectionContext(services.Registry.NextId(), model, address, _time.GetTimestamp())
        {
            Client = account,
        };
        if (refusal.IsError)
            context.Refuse(refusal);
        var client = new ClientConnection(connection, context, services, _places);

        // Tracked by the registry until it has ended.
        services.Registry.Add(client);
        services.Trim?.Touch();
        if (!refusal.IsError)
            _counters.CountAccepted();
        connection.Schedule(client);
        return true;
    }

    /// <summary>A full listener turns many away; once a minute says it.</summary>
    private void SayFull(ListenerModel model)
    {
        _counters.CountFull();
        services.Limiter.Of(model).Refused.Add(LimitKind.MaxConnections);
        if (_places.MaySayFull(_time))
            Log.Full(logger, model.Name, model.MaxConnections);
    }

    private void LengthenPause() => _pause = _pause == TimeSpan.Zero ? MinPause : _pause * 2 < MaxPause ? _pause * 2 : MaxPause;

    /// <summary>Once a minute, as long as it goes on.</summary>
    private void SayHeld()
    {
        long now = _time.GetTimestamp();
        if (_heldSaidAt != 0 && _time.GetElapsedTime(_heldSaidAt, now) < TimeSpan.FromMinutes(1))
            return;
        _heldSaidAt = now;
        if (_lack == Lack.Memory)
            Log.HeldByMemory(logger, _model.Name, _memory.Limit >> 20);
        else
            Log.Held(logger, _model.Name, _descriptors.MostClients, _descriptors.Limit, _descriptors.Reserve);
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stopping)
    {
        try
        {
            await Task.Delay(pause, _time, stopping);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static bool IsResourcePressure(SocketError error) =>
        error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.ProcessLimit;

    private static partial class Log
    {
        [LoggerMessage(
            ServerEventIds.AcceptPaused, LogLevel.Warning,
            "Listener {Listener} pauses: {Error}. Waiting clients stay in the kernel's queue; raise LimitNOFILE when this comes back")]
        public static partial void Paused(ILogger logger, string listener, SocketError error);

        [LoggerMessage(
            ServerEventIds.AcceptHeld, LogLevel.Warning,
            "Listener {Listener} waits: {Clients} clients are all that {Limit} file descriptors allow ({Reserve} are kept for the "
                + "daemon itself). Further ones stay in the kernel's queue until others leave; raise LimitNOFILE when this comes back")]
        public static partial void Held(ILogger logger, string listener, int clients, int limit, int reserve);

        [LoggerMessage(
            ServerEventIds.AcceptHeldByMemory, LogLevel.Warning,
            "Listener {Listener} waits: the {MiB} MiB of memory that the daemon may use (MemoryMax) are nearly used up. Further clients "
                + "stay in the kernel's queue until others leave")]
        public static partial void HeldByMemory(ILogger logger, string listener, long miB);

        [LoggerMessage(ServerEventIds.AcceptLoopFailed, LogLevel.Error, "Listener {Listener}: a connection could not be taken")]
        public static partial void LoopFailed(ILogger logger, Exception failure, string listener);

        [LoggerMessage(
            ServerEventIds.AcceptFailed, LogLevel.Debug, "Listener {Listener}: a connection broke before it was accepted: {Error}")]
        public static partial void AcceptFailed(ILogger logger, string listener, SocketError error);

        [LoggerMessage(
            ServerEventIds.ClientNotAllowed, LogLevel.Debug, "Listener {Listener}: a client is not in AllowFrom, or in DenyFrom")]
        public static partial void NotAllowed(ILogger logger, string listener);

        [LoggerMessage(
            ServerEventIds.ListenerFull, LogLevel.Warning,
            "Listener {Listener} is full: MaxConnections = {Max}; further clients are refused until others leave")]
        public static partial void Full(ILogger logger, string listener, int max);
    }
}
