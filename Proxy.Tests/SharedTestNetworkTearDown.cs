using TorBalancer.Tests.Support;

namespace TorBalancer.Tests;

/// <summary>Ends what the whole run shares. NUnit applies it to the namespace that it stands in, and so to all tests.</summary>
[SetUpFixture]
public sealed class SharedTestNetworkTearDown
{
    [OneTimeTearDown]
    public Task StopAsync() => SharedTestNetwork.StopAsync();
}
