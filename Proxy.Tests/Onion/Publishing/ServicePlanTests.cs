using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>What a service's descriptor says of all its instances.</summary>
public class ServicePlanTests
{
    [TestCase("1-2 31", "1-2 31", "1-2 31")]
    [TestCase("1-2 31", "1-2 62", null)]
    [TestCase("1-2 31", null, null)]
    [TestCase(null, "1-2 31", null)]
    [TestCase(null, null, null)]
    public void Flow_control_is_carried_when_all_agree(string? first, string? second, string? carried) =>
        Assert.That(PlanOf((first, false), (second, false)).FlowControl, Is.EqualTo(carried));

    [TestCase(true, true, true)]
    [TestCase(true, false, false)]
    [TestCase(false, true, false)]
    [TestCase(false, false, false)]
    public void Single_onion_service_is_said_when_all_are(bool first, bool second, bool carried) =>
        Assert.That(PlanOf((null, first), (null, second)).IsSingleOnion, Is.EqualTo(carried));

    private static ServicePlan PlanOf(params (string? FlowControl, bool IsSingleOnion)[] instances)
    {
        var like = Instances.Open(Instances.All[0].Address, Instances.All[0].Text);
        return ServicePlan.Of(
            [
                .. instances.Select((one, i) => (
                    new InstancePoints($"n{i}", 1, Instances.Make(3)),
                    like with { FlowControl = one.FlowControl, IsSingleOnion = one.IsSingleOnion })),
            ],
            DescriptorSets.Auto);
    }
}
