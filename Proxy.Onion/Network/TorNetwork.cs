using TorBalancer.TorControl;

namespace TorBalancer.Onion.Network;

/// <summary>The network as a tor tells it over its control port.</summary>
internal static class TorNetwork
{
    /// <summary>md/all of the public network has some 8 MB, and its consensus 3 MB.</summary>
    public static ControlConnectionOptions Limits { get; } = new()
    {
        MaxReplyBytes = 128 << 20,
        CommandTimeout = TimeSpan.FromSeconds(60),
    };

    /// <summary>The consensus with the places of its directories; or what is wrong with it.</summary>
    public static async Task<(NetworkConsensus? Consensus, string? Problem)> ReadAsync(
        ControlConnection control, CancellationToken cancellationToken)
    {
        try
        {
            var values = await control.GetInfoAsync(["dir/status-vote/current/consensus-microdesc", "md/all"], cancellationToken);
            return ConsensusReader.TryRead(values[0], Microdescriptors.Read(values[1]), out var consensus, out string? error)
                ? (consensus, null)
                : (null, error);
        }
        catch (ControlReplyException failure)
        {
            return (null, $"tor has no consensus yet ({failure.Reply.Text})");
        }
    }

    /// <summary>True for a network whose times are short, as TestingTorNetwork has them.</summary>
    public static async Task<bool> IsTestingAsync(ControlConnection control, CancellationToken cancellationToken) =>
        await control.GetConfAsync(["TestingTorNetwork"], cancellationToken) is [{ Value: "1" }, ..];
}
