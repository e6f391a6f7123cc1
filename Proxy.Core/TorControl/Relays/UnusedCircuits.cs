using Microsoft.Extensions.Logging;

namespace TorBalancer.TorControl.Relays;

/// <summary>Closes circuits that nothing is on; open streams live on (control-spec, CLOSECIRCUIT with IfUnused).</summary>
internal static partial class UnusedCircuits
{
    /// <summary>A circuit that is gone by now, or that tor does not close, is no matter.</summary>
    public static async Task TryCloseAsync(
        ControlConnection control, string workerId, string circuit, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            await control.CloseCircuitAsync(circuit, onlyIfUnused: true, cancellationToken);
        }
        catch (Exception failure) when (failure is ControlReplyException or TimeoutException)
        {
            Log.NotClosed(logger, workerId, circuit, failure.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(RelayEventIds.RebuildFailed, LogLevel.Debug, "Worker {Worker}: circuit {Circuit} could not be closed: {Problem}")]
        public static partial void NotClosed(ILogger logger, string worker, string circuit, string problem);
    }
}
