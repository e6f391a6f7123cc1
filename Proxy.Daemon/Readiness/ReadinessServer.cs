using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Reload;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Readiness;

/// <summary>The two listeners of [Readiness], of which a reload may open, move and close each.</summary>
internal sealed partial class ReadinessServer(
    ReadinessAnswers answers, DescriptorBudget descriptors, TimeProvider time, ILogger<ReadinessServer> logger)
    : IReloadBinding, IHandOverPart, IAsyncDisposable
{
    private const string Section = "Readiness", AddressKey = "Address", AgentKey = "Agent";

    private readonly List<ReadinessListener> _closing = [];
    private Bound _address, _agent;

    /// <summary>What answers /livez and /readyz; null: nothing does.</summary>
    public IPEndPoint? Address => _address.Listener?.Address;

    /// <summary>What answers agent-checks; null: nothing does.</summary>
    public IPEndPoint? Agent => _agent.Listener?.Address;

    /// <summary>The process whose sockets are taken where it has them; null: there is none.</summary>
    public Predecessor? Predecessor { get; init; }

    public IReadOnlyList<(TakeoverDescriptor What, int Descriptor)> Descriptors =>
    [
        .. Named().Select(static one => (
            new TakeoverDescriptor(TakeoverKinds.Readiness, one.Key, one.Bound.Configured!.ToString()),
            (int)one.Bound.Listener!.Socket.SafeHandle.DangerousGetHandle())),
    ];

    /// <summary>Opens what is configured, and answers. Throws <see cref="StartupException"/>.</summary>
    public void Start(TorBalancerOptions options) => Bind(options).Apply();

    /// <summary>Opens what is configured; it answers when what comes back is applied. Throws <see cref="StartupException"/>.</summary>
    public IPreparedBinding Bind(TorBalancerOptions options)
    {
        try
        {
            return Prepare(options);
        }
        catch (ReloadBindingException failure)
        {
            throw new StartupException(failure.Message, failure);
        }
    }

    public IPreparedBinding Prepare(TorBalancerOptions next)
    {
        var change = new Change(this);
        try
        {
            // An old port may stand in the way of a new one; what is closed for it is opened again when this fails.
            var (address, agent) = (next.Readiness.Address, next.Readiness.Agent);
            bool keepsAddress = Equals(_address.Configured, address), keepsAgent = Equals(_agent.Configured, agent);
            if (!keepsAddress)
                CloseIfInTheWay(_address, address, agent);
            if (!keepsAgent)
                CloseIfInTheWay(_agent, address, agent);
            change.Address = keepsAddress ? _address : Open(address, AddressKey);
            change.Agent = keepsAgent ? _agent : Open(agent, AgentKey);
            return change;
        }
        catch
        {
            change.Undo();
            throw;
        }
    }

    public async ValueTask PauseAsync()
    {
        answers.IsHandedOver = true;
        foreach (var (_, bound) in Named())
            await bound.Listener!.PauseAsync();
    }

    public void Resume()
    {
        answers.IsHandedOver = false;
        foreach (var (_, bound) in Named())
            bound.Listener!.Start();
    }

    public ValueTask LeaveAsync(TakeoverReady successor, int processId)
    {
        foreach (var (_, bound) in Named())
            bound.Listener!.Leave();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in (ReadinessListener?[])[_address.Listener, _agent.Listener, .. _closing])
        {
            if (listener is not null)
                await listener.DisposeAsync();
        }

        (_address, _agent) = (default, default);
    }

    private static void CloseIfInTheWay(Bound old, IPEndPoint? address, IPEndPoint? agent)
    {
        int? port = old.Configured?.Port;
        if (port is > 0 && (port == address?.Port || port == agent?.Port))
            old.Listener?.Close();
    }

    private List<(string Key, Bound Bound)> Named() =>
        new List<(string Key, Bound Bound)> { (AddressKey, _address), (AgentKey, _agent) }
            .FindAll(static one => one.Bound.Listener is not null);

    private Bound Open(IPEndPoint? address, string key)
    {
        if (address is null)
            return default;
        try
        {
            Func<Socket, CancellationToken, Task> answer = key == AgentKey ? answers.AnswerAgentAsync : answers.AnswerHttpAsync;
            return Predecessor?.TakeSocket(TakeoverKinds.Readiness, key, address.ToString()) is { } inherited
                ? new Bound(address, new ReadinessListener(inherited.Socket, answer, descriptors, time))
                : new Bound(address, new ReadinessListener(address, answer, descriptors, time));
        }
        catch (SocketException failure)
        {
            throw new ReloadBindingException(
                Section, key, $"[{Section}] {key} cannot listen on {address}: {failure.Message}", failure);
        }
    }

    private Bound Replace(Bound was, Bound next, string what)
    {
        if (was == next)
            return was;
        Retire(was.Listener);
        if (next.Listener is { } opened)
        {
            opened.Start();
            Log.Listening(logger, what, opened.Address.ToString());
        }

        return next;
    }

    /// <summary>One that was closed for a change that does not come is opened again.</summary>
    private Bound Restore(Bound was, string key)
    {
        if (was.Listener is not { IsClosed: true } closed)
            return was;
        Retire(closed);
        try
        {
            var again = Open(was.Configured, key);
            again.Listener?.Start();
            return again;
        }
        catch (ReloadBindingException failure)
        {
            Log.NotReopened(logger, failure.Message);
            return default;
        }
    }

    /// <summary>What it is answering yet is waited for at the end.</summary>
    private void Retire(ReadinessListener? listener)
    {
        if (listener is null)
            return;
        listener.Close();
        _closing.Add(listener);
    }

    /// <param name="Configured">As it is written; its port may be 0.</param>
    private readonly record struct Bound(IPEndPoint? Configured, ReadinessListener? Listener);

    private sealed class Change : IPreparedBinding
    {
        private readonly ReadinessServer _server;
        private readonly Bound _oldAddress, _oldAgent;

        public Change(ReadinessServer server)
        {
            _server = server;
            Address = _oldAddress = server._address;
            Agent = _oldAgent = server._agent;
        }

        public Bound Address { get; set; }

        public Bound Agent { get; set; }

        public void Apply()
        {
            _server._address = _server.Replace(_oldAddress, Address, "/livez and /readyz");
            _server._agent = _server.Replace(_oldAgent, Agent, "agent-checks");
        }

        public void Undo()
        {
            // Both first: one of the new ones may have the port of one that is opened again.
            if (Address != _oldAddress)
                _server.Retire(Address.Listener);
            if (Agent != _oldAgent)
                _server.Retire(Agent.Listener);
            _server._address = _server.Restore(_oldAddress, AddressKey);
            _server._agent = _server.Restore(_oldAgent, AgentKey);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(HostingEventIds.ReadinessListening, LogLevel.Information, "Readiness: {What} on {Address}")]
        public static partial void Listening(ILogger logger, string what, string address);

        [LoggerMessage(
            HostingEventIds.ReadinessNotReopened, LogLevel.Error,
            "An address that was closed for another cannot be opened again: {Problem}")]
        public static partial void NotReopened(ILogger logger, string problem);
    }
}
