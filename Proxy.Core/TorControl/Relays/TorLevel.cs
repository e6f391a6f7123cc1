using Microsoft.Extensions.Logging;

namespace TorBalancer.TorControl.Relays;

/// <summary>Which release one worker's tor is, and what is known to be wrong with it. Thread-safe.</summary>
internal sealed partial class TorLevel(string workerId, ILogger logger)
{
    private State _state = new(null, [], MayUseConflux: false);
    private string _told = "";

    /// <summary>Null until the first connection, and where tor gives no number.</summary>
    public TorVersion? Version => Volatile.Read(ref _state).Version;

    /// <summary>Faults of that release that its configuration does not avoid.</summary>
    public IReadOnlyList<TorFault> Faults => Volatile.Read(ref _state).Faults;

    /// <summary>
    /// Whether its configuration lets it use conflux, where it knows that: tor puts a stream on the first set of circuits that its
    /// isolation allows, one that carried nothing yet as well as its own, so that a session's exit changes (measured on 0.4.9.11).
    /// </summary>
    public bool MayUseConflux => Volatile.Read(ref _state).MayUseConflux;

    /// <summary>On a new connection. Warns of each release once.</summary>
    public async Task ConnectedAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        string text = control.Info.TorVersion;
        if (TorVersion.TryParse(text) is not { } version)
        {
            Volatile.Write(ref _state, new State(null, [], MayUseConflux: false));
            return;
        }

        List<TorFault> faults = [.. TorFault.All.Where(fault => fault.Has(version))];
        bool mayUseConflux = version >= TorVersion.FirstWithConflux && !await IsConfluxOffAsync(control, cancellationToken);
        if (!mayUseConflux)
            faults.Remove(TorFault.ConfluxAcrossIsolation);
        Volatile.Write(ref _state, new State(version, faults, mayUseConflux));
        if (faults.Count > 0 && _told != text)
            Log.Faulty(logger, workerId, text, string.Join("; ", faults));
        if (mayUseConflux && _told != text)
            Log.SessionsMove(logger, workerId);
        _told = text;
    }

    private static async Task<bool> IsConfluxOffAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        try
        {
            var values = await control.GetConfAsync(["ConfluxEnabled"], cancellationToken);
            return values.Count > 0 && values[0].Value == "0";
        }
        catch (ControlReplyException)
        {
            return false;
        }
    }

    private sealed record State(TorVersion? Version, IReadOnlyList<TorFault> Faults, bool MayUseConflux);

    private static partial class Log
    {
        [LoggerMessage(
            RelayEventIds.FaultyTor, LogLevel.Warning, "Worker {Worker}: its tor is {Version}, which has known faults: {Faults}")]
        public static partial void Faulty(ILogger logger, string worker, string version, string faults);

        [LoggerMessage(
            RelayEventIds.ConfluxMovesSessions, LogLevel.Information,
            "Worker {Worker}: its tor may use conflux, with which a session's next connection can leave through another exit; "
                + "ConfluxEnabled 0 in its torrc keeps sessions where they are")]
        public static partial void SessionsMove(ILogger logger, string worker);
    }
}
