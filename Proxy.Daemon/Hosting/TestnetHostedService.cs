using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Testnet;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Runs the private network of <c>run --testnet</c>, which is laid out already: the options name its workers. Started before everything
/// that asks them for something, and stopped last.
/// </summary>
internal sealed class TestnetHostedService(TestNetwork network, StartHints hints, ILogger<TestnetHostedService> logger)
    : IHostedService, IAsyncDisposable
{
    /// <summary>Claims ports and a directory. Throws <see cref="StartupException"/> when it cannot have them.</summary>
    /// <param name="latency">How far relays and exits are to be away, one way.</param>
    public static TestNetwork LayOut(TimeSpan latency)
    {
        try
        {
            return TestNetwork.LayOut(new TestNetworkOptions { Latency = latency });
        }
        catch (TestNetworkException failure)
        {
            throw NotStarted(failure);
        }
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await network.StartAsync(progress: null, logger, cancellationToken);
        }
        catch (TestNetworkException failure)
        {
            throw NotStarted(failure);
        }

        hints.Add(listener => $"curl -x http://{listener} {network.OriginUrl}");
        hints.Add(listener => $"curl -x socks5h://{listener} http://{network.OnionAddress}/");
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public ValueTask DisposeAsync() => network.DisposeAsync();

    private static StartupException NotStarted(TestNetworkException failure) =>
        new($"the private Tor network did not start: {failure.Message}", failure);
}
