using Microsoft.Extensions.Logging;

namespace TorBalancer.TorControl.Relays;

/// <summary>Which release one worker's tor is, and what is known to be wrong with it. Thread-safe.</summary>
internal sealed partial class TorLevel(string workerId, ILogger logger)
{
    private State _state = new(null, []);
    private string _told = "";

    /// <summary>Null until the first connection, and where tor gives no number.</summary>
    public TorVersion? Version => Volatile.Read(ref _state).Version;

    /// <summary>Faults of that release that its configuration does not avoid.</summary>
    public IReadOnlyList<TorFault> Faults => Volatile.Read(ref _state).Faults;

    /// <summary>On a new connection. Warns of each release once.</summary>
    public async Task ConnectedAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        string text = control.Info.TorVersion;
        if (TorVersion.TryParse(text) is not { } version)
        {
            Volatile.Write(ref _state, new State(null, []));
            return;
        }

        List<TorFault> faults = [.. TorFault.All.Where(fault => fault.Has(version))];
        if (faults.Contains(TorFault.ConfluxAcrossIsolation) && await IsConfluxOffAsync(control, cancellationToken))
            faults.Remove(TorFault.ConfluxAcrossIsolation);
        Volatile.Write(ref _state, new State(version, faults));
        if (faults.Count > 0 && _told != text)
            Log.Faulty(logger, workerId, text, string.Join("; ", faults));
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

    private sealed record State(TorVersion? Version, IReadOnlyList<TorFault> Faults);

    private static partial class Log
    {
        [LoggerMessage(
            RelayEventIds.FaultyTor, LogLevel.Warning, "Worker {Worker}: its tor is {Version}, which has known faults: {Faults}")]
        public static partial void Faulty(ILogger logger, string worker, string version, string faults);
    }
}
