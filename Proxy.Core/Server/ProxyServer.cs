using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>All listeners and all connections: starts them, and stops them in stages.</summary>
internal sealed partial class ProxyServer(ConnectionServices services, ILogger<ProxyServer> logger) : IAsyncDisposable
{
    private const int Backlog = 4096;

    private readonly Lock _lock = new();
    private readonly IDisposable _pressed = services.Descriptors.WhenPressed(() => services.Registry.MakeRoom(services.Time) > 0);
    private IReadOnlyList<RunningListener> _listeners = [];

    public ConnectionRegistry Connections => services.Registry;

    /// <summary>Serving from the end of <see cref="StartAsync"/>, draining from the beginning of <see cref="StopAsync"/>.</summary>
    public ServingState Serving { get; } = new();

    /// <summary>The addresses that are listened on, with their real ports.</summary>
    public IReadOnlyList<(string Name, EndPoint Address)> Addresses =>
        [.. Bound.Select(static one => (one.Model.Name, one.Address))];

    /// <summary>What is configured of those that listen, in the order of the file; one for each, whose ports may be many.</summary>
    public IReadOnlyList<ListenerModel> Listeners => [.. Bound.Select(static one => one.Model).DistinctBy(static model => model.Name)];

    /// <summary>The listeners that are open, with their real addresses.</summary>
    public IEnumerable<(ListenerModel Model, EndPoint Address)> Bound =>
        Volatile.Read(ref _listeners).Select(static entry => (entry.Listener.Model, entry.Listener.LocalEndPoint));

    /// <summary>
    /// Binds every listener before any accepts, so that a start either succeeds whole or fails whole. Throws
    /// <see cref="ListenException"/> naming the listener that could not be bound.
    /// </summary>
    public async Task StartAsync(IEnumerable<ListenerModel> models) => await AcceptAsync(await PrepareAsync([.. models]));

    /// <summary>The second half of a start: those that are bound accept. Cannot fail.</summary>
    public async Task AcceptAsync(ListenerChange bound)
    {
        await ApplyAsync(bound);
        Serving.MoveTo(ServingStage.Serving);
    }

    /// <summary>
    /// Binds what is new of these; what listens goes on as it is until <see cref="ApplyAsync"/>. Only a listener that stands in the way of
    /// a new one, because it has its port on another address, is closed already; what waited there is served. Throws
    /// <see cref="ListenException"/> as <see cref="StartAsync"/>; then everything is as it was.
    /// </summary>
    public async Task<ListenerChange> PrepareAsync(IReadOnlyList<ListenerModel> models)
    {
        foreach (var model in models)
        {
            if (model.Tls is { } files && services.Certificates.Take(files) is { } problem)
                throw new ListenException(model.Name, $"[Listener:{model.Name}] Tls: {problem}");
        }

        var change = ListenerChange.Of(models, Volatile.Read(ref _listeners));
        var closed = new List<RunningListener>();
        try
        {
            var late = new List<ListenerModel>();
            foreach (var model in change.New)
            {
                if (change.Gone.Any(gone => IsInTheWay(gone.Listener.Model, model)))
                    late.Add(model);
                else
                    change.Bound.Add(Bind(model));
            }

            foreach (var gone in change.Gone.Where(gone => late.Exists(model => IsInTheWay(gone.Listener.Model, model))))
            {
                await CloseAsync(gone);
                closed.Add(gone);
            }

            foreach (var model in late)
                change.Bound.Add(Bind(model));
            return change;
        }
        catch
        {
            foreach (var listener in change.Bound)
                await (listener.IsHandedOver ? listener.LeaveAsync() : listener.CloseAsync());
            foreach (var gone in closed)
                Reopen(gone);
            await CloseIfStoppingAsync();
            throw;
        }
    }

    /// <summary>Listens as prepared: new listeners accept, others go by their new rules, and those that are gone close.</summary>
    public async Task ApplyAsync(ListenerChange change)
    {
        lock (_lock)
        {
            var next = new List<RunningListener>();
            services.OwnPorts.Set(
                [
                    .. change.Kept.Select(static one => one.Listener.Listener.LocalEndPoint),
                    .. change.Bound.Select(static one => one.LocalEndPoint),
                ]);
            foreach (var (listener, model) in change.Kept)
            {
                listener.Listener.Model = model;
                next.Add(listener);
            }

            // Clients of a listener that has moved go by the users of now as well.
            foreach (var gone in change.Gone)
            {
                if (change.Bound.Find(one => one.Model.Name == gone.Listener.Model.Name) is { } heir)
                    gone.Listener.Model.Users.ReplaceBy(heir.Model.Users);
            }

            foreach (var listener in change.Bound)
                next.Add(Accept(listener));
            SayListening([.. change.Bound.Select(static one => (one.Model.Name, one.LocalEndPoint))], Log.Listening);

            // The first one is what a question without a listener is about.
            List<ListenerModel> order = [.. change.Models];
            Volatile.Write(ref _listeners, [.. next.OrderBy(one => order.IndexOf(one.Listener.Model))]);
        }

        foreach (var gone in change.Gone)
        {
            await CloseAsync(gone);
        }

        SayListening([.. change.Gone.Select(static one => (one.Listener.Model.Name, one.Listener.LocalEndPoint))], Log.NotListening);

        // Behind their last clients, who are shown theirs.
        services.Certificates.Keep([.. change.Models.Select(static model => model.Tls).OfType<CertificateFiles>()]);
        services.Certificates.Look();

        await CloseIfStoppingAsync();
    }

    /// <summary>
    /// Stops in stages: listeners close at once, live connections go on for the drain time, then they are cut. True when
    /// all ended by themselves.
    /// </summary>
    public async Task<bool> StopAsync(TimeSpan drain, CancellationToken hurry)
    {
        Serving.MoveTo(ServingStage.Draining);
        await Connections.DrainAsync();
        await CloseIfStoppingAsync();

        var empty = Connections.WhenEmptyAsync();
        if (!empty.IsCompleted && drain > TimeSpan.Zero)
        {
            Log.Draining(logger, Connections.Count, drain);
            using var timer = new CancellationTokenSource(drain, services.Time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, hurry);
            await WaitAsync(empty, either.Token);
        }

        bool clean = empty.IsCompleted;
        if (!clean)
        {
            Log.DrainEnded(logger, Connections.Count);
            foreach (var connection in Connections.All)
                connection.Abort(TunnelEnd.Drained);
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(5), services.Time);
            await WaitAsync(empty, bound.Token);
        }

        return clean;
    }

    public async ValueTask DisposeAsync()
    {
        _pressed.Dispose();
        if (!Connections.Stopping.IsCancellationRequested)
            await StopAsync(TimeSpan.Zero, CancellationToken.None);
    }

    /// <summary>One port of the kernel's for one address at a time, or one file.</summary>
    private static bool IsInTheWay(ListenerModel old, ListenerModel next) => (old.Address, next.Address) switch
    {
        (IPEndPoint one, IPEndPoint other) => one.Port == other.Port && one.Port != 0,
        var (one, other) => one.Equals(other),
    };

    private ProxyListener Bind(ListenerModel model)
    {
        try
        {
            var inherited = Inherited(model);
            var listener = services.Transport.Listen(
                model.Address,
                new ListenSettings(
                    Backlog, model.SocketMode, model.IsDualStack, inherited?.Socket, inherited?.OwnsFile, model.TakesForeign));
            return new ProxyListener(listener, model, services, logger) { IsHandedOver = inherited is { Configured: not null } };
        }
        catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
        {
            string hint = model.TakesForeign && failure is SocketException { SocketErrorCode: SocketError.AccessDenied }
                ? "; Transparent = tproxy needs CAP_NET_ADMIN (in a unit: AmbientCapabilities=CAP_NET_ADMIN)" : "";
            throw new ListenException(
                model.Name, $"[Listener:{model.Name}] cannot listen on {model.Address}: {failure.Message}{hint}", failure);
        }
    }

    /// <summary>
    /// The socket that was opened for it, once; null: none was. Throws <see cref="ListenException"/> when it is on another address than is
    /// configured: by that one it has been judged who may connect.
    /// </summary>
    private InheritedSocket? Inherited(ListenerModel model)
    {
        if (services.Inherited.Take(model.Name, model.Address, own => IsSame(model.Address, own)) is { } inherited)
            return inherited;

        // Of a range some ports may be opened by us and others by the manager, but none that is not of the range.
        if (services.Inherited.Find(model.Name, own => !IsOf(model, own)) is not { } where)
            return null;
        throw new ListenException(
            model.Name,
            $"[Listener:{model.Name}] Address is {model.AddressText}, and the socket that the service manager has opened for it is on "
                + $"{where}: "
                + "who may connect is judged by Address, so both must say the same",
            new InvalidOperationException());
    }

    private static bool IsOf(ListenerModel model, EndPoint own) =>
        IsSame(model.Address, own)
            || (model.SessionPorts is { } ports && own is IPEndPoint ip && ports.Contains(ip.Port)
                && ip.Address.Equals(((IPEndPoint)model.Address).Address));

    private static bool IsSame(EndPoint configured, EndPoint own) => (configured, own) switch
    {
        (IPEndPoint { Port: 0 } any, IPEndPoint real) => any.Address.Equals(real.Address),
        _ => configured.Equals(own) || (own is not IPEndPoint && configured.ToString() == own.ToString()),
    };

    /// <summary>A line for each address; ports that follow each other are one.</summary>
    private void SayListening(IReadOnlyList<(string Name, EndPoint Address)> listeners, Action<ILogger, string, string> say)
    {
        for (int i = 0; i < listeners.Count;)
        {
            var (name, first) = listeners[i];
            int last = 0;
            for (i++; i < listeners.Count && first is IPEndPoint start && listeners[i].Address is IPEndPoint next
                && listeners[i].Name == name && next.Address.Equals(start.Address) && next.Port == Math.Max(last, start.Port) + 1; i++)
                last = next.Port;
            say(logger, name, new ListenAddress(first, last).ToString());
        }
    }

    /// <summary>A stop that comes while listeners change sees the old ones alone: whoever is later closes the new ones.</summary>
    private async Task CloseIfStoppingAsync()
    {
        if (!Connections.Stopping.IsCancellationRequested)
            return;
        foreach (var listener in Volatile.Read(ref _listeners))
            await CloseAsync(listener);
    }

    /// <summary>A second call does nothing.</summary>
    private static async Task CloseAsync(RunningListener running)
    {
        if (!running.TryClose())
            return;
        await running.Stop.CancelAsync();
        await running.Loop;
        await running.Listener.CloseAsync();
        running.Stop.Dispose();
    }

    /// <summary>Its address was its own a moment ago; who has taken it meanwhile is said in the log.</summary>
    private void Reopen(RunningListener closed)
    {
        lock (_lock)
        {
            List<RunningListener> next = [.. _listeners];
            int at = next.IndexOf(closed);
            next.RemoveAt(at);
            try
            {
                var opened = Accept(Bind(closed.Listener.Model));
                next.Insert(at, opened);
                SayListening([(opened.Listener.Model.Name, opened.Listener.LocalEndPoint)], Log.Listening);
            }
            catch (ListenException failure)
            {
                Log.NotReopened(logger, failure.Message);
            }

            Volatile.Write(ref _listeners, next);
        }
    }

    private static async Task WaitAsync(Task task, CancellationToken token)
    {
        try
        {
            await task.WaitAsync(token);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static partial class Log
    {
        [LoggerMessage(ServerEventIds.Listening, LogLevel.Information, "Listener {Listener} on {Address}")]
        public static partial void Listening(ILogger logger, string listener, string address);

        [LoggerMessage(
            ServerEventIds.NotListening, LogLevel.Information, "Listener {Listener} on {Address} has closed; its connections go on")]
        public static partial void NotListening(ILogger logger, string listener, string address);

        [LoggerMessage(
            ServerEventIds.NotReopened, LogLevel.Error, "A listener that was closed for another cannot be opened again: {Problem}")]
        public static partial void NotReopened(ILogger logger, string problem);

        [LoggerMessage(
            ServerEventIds.HandedOver, LogLevel.Information,
            "Process {Pid} has the listeners from now on; {Count} connections go on here to their end")]
        public static partial void HandedOver(ILogger logger, int pid, int count);

        [LoggerMessage(ServerEventIds.TakenOver, LogLevel.Information, "Took over from process {Pid} (release {Release}), which ends with "
            + "its last connection")]
        public static partial void TakenOver(ILogger logger, int pid, string release);

        [LoggerMessage(ServerEventIds.NotReleased, LogLevel.Warning, "Process {Pid} did not end the takeover as it should: {Reason}")]
        public static partial void NotReleased(ILogger logger, int pid, string reason);

        [LoggerMessage(ServerEventIds.Draining, LogLevel.Information, "Stopping: {Count} connections may go on for up to {Drain}")]
        public static partial void Draining(ILogger logger, int count, TimeSpan drain);

        [LoggerMessage(ServerEventIds.DrainEnded, LogLevel.Warning, "The drain time is over: {Count} connections are cut")]
        public static partial void DrainEnded(ILogger logger, int count);
    }
}

/// <summary>A listener could not be bound.</summary>
/// <param name="listener">Its name.</param>
public sealed class ListenException(string listener, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The name of the listener.</summary>
    public string Listener { get; } = listener;
}
