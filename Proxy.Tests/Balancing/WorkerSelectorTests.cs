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
}
