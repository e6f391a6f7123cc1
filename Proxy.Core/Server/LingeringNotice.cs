using Microsoft.Extensions.Logging;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>Says, once a minute, that more clients are to read their last answer than <see cref="LingeringClose"/> has room for.</summary>
internal sealed partial class LingeringNotice(ILogger<LingeringNotice> logger, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private long _saidAt = long.MinValue;

    /// <summary>From any thread.</summary>
    public void Observe()
    {
        long now = time.GetTimestamp();
        long saidAt = Interlocked.Read(ref _saidAt);
        if (saidAt != long.MinValue && time.GetElapsedTime(saidAt, now) < Interval)
            return;
        if (Interlocked.CompareExchange(ref _saidAt, now, saidAt) == saidAt)
            Log.Full(logger, LingeringClose.MostAtATime);
    }

    private static partial class Log
    {
        [LoggerMessage(
            ServerEventIds.LingeringFull, LogLevel.Warning,
            "{Most} clients send on behind their last answer: whoever has done so for longest is closed for each further one, and may "
                + "see a reset in place of its answer")]
        public static partial void Full(ILogger logger, int most);
    }
}
