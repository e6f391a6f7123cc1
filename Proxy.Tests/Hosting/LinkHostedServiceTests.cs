using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Hosting;

/// <summary>What the daemon says of links when it starts.</summary>
public sealed class LinkHostedServiceTests
{
    /// <summary>
    /// Before Linux 5.7 without CAP_NET_RAW. Nothing mends that while the daemon runs, and going on would only fail connections.
    /// </summary>
    [Test]
    public void Start_without_the_right_to_bind_to_an_interface_fails_and_says_what_is_needed()
    {
        using var log = new ListLogger();
        var service = Service(log, SocketError.AccessDenied);

        Assert.That(
            () => service.StartAsync(CancellationToken.None),
            Throws.TypeOf<StartupException>().With.Message.StartsWith(
                "[Worker:w] WgInterface = tb-none: ").And.Message.Contains("AmbientCapabilities=CAP_NET_RAW"));
    }

    [TestCase(SocketError.Success)]
    [TestCase(SocketError.NoData, Description = "there is no such interface")]
    public async Task Start_with_a_link_that_is_not_there_yet_warns(SocketError error)
    {
        using var log = new ListLogger();
        await Service(log, error).StartAsync(CancellationToken.None);

        Assert.That(log.Entries.Select(static entry => (entry.Level, entry.Message)), Is.EqualTo(new[]
        {
            (LogLevel.Warning, "Worker w: interface tb-none does not exist; what is to take its link fails until it is there"),
        }));
    }

    private static LinkHostedService Service(ListLogger log, SocketError error)
    {
        var pool = new WorkerPool();
        pool.Apply(
        [
            new WorkerModel("plain", new IPEndPoint(IPAddress.Loopback, 1)),
            new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 2), Link: new WireGuardLink("tb-none", IPAddress.Parse("10.201.1.1"))),
        ]);
        return new LinkHostedService(pool, new Logger<LinkHostedService>(log), _ => error);
    }
}
