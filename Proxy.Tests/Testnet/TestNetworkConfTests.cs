using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Testnet;

public class TestNetworkConfTests
{
    [Test]
    public async Task ApplyTo_says_all_that_a_proxy_has_to_know_before_the_network_starts()
    {
        SharedTestNetwork.RequireTor();
        var options = new TorBalancerOptions();
        options.Workers.Add(new WorkerOptions { Name = "configured" });
        options.Health.OnionCanary = "http://a.onion/";
        string directory;
        await using (var network = TestNetwork.LayOut(new TestNetworkOptions { Workers = 2 }))
        {
            directory = network.Directory;
            TestNetworkConf.ApplyTo(options, network);

            Assert.That(options.Health.Canary, Is.EqualTo([$"http://origin.test:{network.OriginPort}/"]));
            Assert.That(options.Health.OnionCanary, Is.Empty);
            Assert.That(options.Route.Rules, Is.EqualTo([TestNetworkConf.Route]));
            Assert.That(options.Workers.Select(WorkerModel.Of), Is.EqualTo(network.Workers.Select(static node => new WorkerModel(
                node.Name, new IPEndPoint(IPAddress.Loopback, node.SocksPort),
                ControlEndPoint: new UnixDomainSocketEndPoint(node.ControlPath))
            { ControlCookie = node.CookiePath })));
            Assert.That(options.Workers.Select(static worker => worker.Name), Is.EqualTo(["worker-01", "worker-02"]));
        }

        Assert.That(Directory.Exists(directory), Is.False, "one that never started leaves nothing behind");
    }
}
