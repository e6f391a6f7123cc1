using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

public class WorkerSelectorTests
{
    [TestCase("de", true)]
    [TestCase("fr", false)]
    public void Select_a_worker_asked_for_by_name_must_be_of_the_country_asked_for_too(string country, bool found)
    {
        var pool = new WorkerPool();
        pool.Apply([new WorkerModel("w1", new IPEndPoint(IPAddress.Loopback, 1), Country: "de")]);
        var selector = new WorkerSelector(
            pool, [new FailoverSelectionPolicy()], new SelectionOptions(), TimeProvider.System, new SystemRandomSource());
        var (lease, error) = selector.Select(new SelectionRequest(SelectionPolicyNames.Failover, 0, "w1", country), []);
        Assert.That(lease is not null, Is.EqualTo(found));
        Assert.That(error.Cause, Is.EqualTo(found ? FailureCause.None : FailureCause.BadUserParameters));
    }

    /// <summary>Nothing is the client's fault before everybody is known: those of DNS may be the ones that it means.</summary>
    [Test]
    public void Select_says_that_nobody_is_there_yet_while_workers_of_DNS_are_awaited()
    {
        var pool = new WorkerPool();
        pool.Apply([new WorkerModel("w1", new IPEndPoint(IPAddress.Loopback, 1), Country: "de")]);
        var discovery = new DiscoveryState();
        var selector = new WorkerSelector(
            pool, [new FailoverSelectionPolicy()], new SelectionOptions(), TimeProvider.System, new SystemRandomSource(), discovery);
        SelectionRequest[] requests =
        [
            new(SelectionPolicyNames.Failover, 0, "dns-1"), new(SelectionPolicyNames.Failover, 0, Country: "fr"),
            new(SelectionPolicyNames.Failover, 0) { Choice = new WorkerChoice(["dns-1"], []) },
        ];
        FailureCause[] forGood = [FailureCause.BadUserParameters, FailureCause.CountryNotServed, FailureCause.UserNotPermitted];
        Assert.That(Causes(), Is.EqualTo(forGood), "nobody is asked");

        discovery.Await();
        discovery.Answered(0, "the resolver does not answer", DateTimeOffset.UnixEpoch);
        Assert.That(Causes(), Has.All.EqualTo(FailureCause.NoWorkerAvailable));
        Assert.That(selector.Select(new SelectionRequest(SelectionPolicyNames.Failover, 0), []).Lease, Is.Not.Null, "who is there serves");

        discovery.Answered(1, null, DateTimeOffset.UnixEpoch);
        Assert.That(Causes(), Is.EqualTo(forGood), "all are known");

        FailureCause[] Causes() => [.. requests.Select(request => selector.Select(request, []).Error.Cause)];
    }
}
