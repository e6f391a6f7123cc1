using TorBalancer.Processes;
using TorBalancer.Testnet;

namespace TorBalancer.Tests.Support;

/// <summary>
/// One private Tor network for the whole test run, started by the first test that asks for it and stopped at the end of
/// the run (<see cref="SharedTestNetworkTearDown"/>). Tests that pause or kill nodes put them back.
/// </summary>
internal static class SharedTestNetwork
{
    private static readonly Lock Gate = new();
    private static Task<TestNetwork>? _network;

    /// <summary>The network. Without tor on the machine the calling test is skipped with the reason.</summary>
    public static Task<TestNetwork> GetAsync()
    {
        RequireTor();
        lock (Gate)
            return _network ??= TestNetwork.StartAsync(new TestNetworkOptions(), new ConsoleProgress());
    }

    /// <summary>Skips the calling test when tor or tor-gencert is missing.</summary>
    public static void RequireTor()
    {
        if (Executables.Find("tor") is null || Executables.Find("tor-gencert") is null)
            Assert.Ignore("skipped: tor is not installed");
    }

    public static async Task StopAsync()
    {
        Task<TestNetwork>? network;
        lock (Gate)
        {
            network = _network;
            _network = null;
        }

        // A start that failed has cleaned up after itself, and the tests have said so.
        if (network is not null && !network.IsFaulted && !network.IsCanceled)
            await (await network).DisposeAsync();
    }

    private sealed class ConsoleProgress : IProgress<TestNetworkProgress>
    {
        public void Report(TestNetworkProgress value) => TestContext.Progress.WriteLine($"test network {value}");
    }
}
