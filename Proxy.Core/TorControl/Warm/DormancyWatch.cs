using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Warm;

/// <summary>
/// Asks a tor whether it has gone to sleep or is saving its bandwidth. There is no event for either, so it is asked before circuits are
/// launched, but not more often than every half minute. Not for several threads.
/// </summary>
internal sealed class DormancyWatch(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private long? _asked;
    private bool _isUnknown;
    private string? _reason;

    /// <summary>On a new connection, which may be to another tor.</summary>
    public void Connected() => (_asked, _isUnknown, _reason) = (null, false, null);

    /// <summary>Why nothing is to be launched; null: it is awake, or too old to say.</summary>
    public async Task<string?> AskAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        if (_isUnknown || (_asked is { } at && time.GetElapsedTime(at) < Interval))
            return _reason;
        try
        {
            var answer = await control.GetInfoAsync(["dormant", "accounting/hibernating"], cancellationToken);
            _reason = answer[0] == "1" ? "tor is dormant" : answer[1] switch
            {
                "soft" => "tor is low on bandwidth",
                "hard" => "tor hibernates",
                _ => null,
            };
        }
        catch (Exception failure) when (failure is ControlReplyException or ControlProtocolException)
        {
            (_isUnknown, _reason) = (true, null);
        }
        catch (TimeoutException)
        {
            // A tor that is too busy to say is too busy for more circuits.
            _reason = "tor does not answer";
        }

        _asked = time.GetTimestamp();
        return _reason;
    }
}
