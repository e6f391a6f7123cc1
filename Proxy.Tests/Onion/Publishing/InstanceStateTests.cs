using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Publishing;

public sealed class InstanceStateTests : IDisposable
{
    private static readonly DateTimeOffset Now = OnionVectors.BalancedNow;

    private static readonly TimePeriod Period = OnionVectors.BalancedPeriod;

    private static readonly TimeSpan MaxAge = TimeSpan.FromHours(1);

    private readonly IdentityKey _identity = OnionVectors.BalancedIdentity;

    private InstanceState _instance = null!;

    [SetUp]
    public void CreateInstance() => _instance = new InstanceState("node1", _identity.Address, 3);

    [OneTimeTearDown]
    public void Dispose() => _identity.Dispose();

    [Test]
    public void Receive_takes_what_is_newer_and_knows_when_it_says_the_same()
    {
        var points = Instances.Make(3);
        Assert.That(Receive(10, points), Is.EqualTo(Receipt.Changed));
        Assert.That(Receive(11, points, Now.AddSeconds(5)), Is.EqualTo(Receipt.Unchanged));
        Assert.That((_instance.ReceivedAt, _instance.ChangedAt), Is.EqualTo((Now.AddSeconds(5), Now)));
        Assert.That(Receive(12, Instances.Make(3), Now.AddSeconds(9)), Is.EqualTo(Receipt.Changed));
        Assert.That(_instance.ChangedAt, Is.EqualTo(Now.AddSeconds(9)));
    }

    /// <summary>A directory may give an old descriptor for ever: it must not keep a dead instance alive.</summary>
    [Test]
    public void Receive_does_not_count_what_is_older()
    {
        var points = Instances.Make(3);
        Receive(10, points);

        Assert.That(Receive(9, Instances.Make(3), Now.AddMinutes(30)), Is.EqualTo(Receipt.Older));
        Assert.That(Receive(99, points, Now.AddMinutes(30), Period.Previous), Is.EqualTo(Receipt.Older));
        Assert.That(_instance.ReceivedAt, Is.EqualTo(Now));

        // The next period begins with a counter of its own.
        Assert.That(Receive(1, points, Now.AddMinutes(40), Period.Next), Is.EqualTo(Receipt.Unchanged));
        Assert.That(Receive(100, points, Now.AddMinutes(41)), Is.EqualTo(Receipt.Older));
    }

    [Test]
    public void Receive_refuses_what_is_not_the_instances_and_keeps_what_it_has()
    {
        Receive(10, Instances.Make(3));
        using var mallory = IdentityKey.FromSeed(new byte[32]);

        string forged = Build(mallory, 11, Instances.Make(3), Period);
        Assert.That(_instance.Receive(forged, [Period.Previous, Period, Period.Next], Now), Is.EqualTo(Receipt.Refused));
        Assert.That(_instance.Problem!.Value.Fault, Is.EqualTo(DescriptorFault.WrongService));
        Assert.That(_instance.Receive(forged[..500], [Period], Now), Is.EqualTo(Receipt.Refused));
        Assert.That(_instance.Problem!.Value.Fault, Is.EqualTo(DescriptorFault.Malformed));
        Assert.That(Receive(12, Instances.Make(3), Now, Period.Next.Next), Is.EqualTo(Receipt.Refused), "of a time to come");
        Assert.That(_instance.Live(Now, MaxAge)!.Points, Has.Count.EqualTo(3));

        Receive(13, Instances.Make(3));
        Assert.That(_instance.Problem, Is.Null);
    }

    [Test]
    public void Live_until_it_was_not_heard_of_for_too_long()
    {
        Assert.That(_instance.Live(Now, MaxAge), Is.Null);
        Receive(10, Instances.Make(3));

        Assert.That(_instance.Live(Now + MaxAge, MaxAge), Is.Not.Null);
        Assert.That(_instance.Live(Now + MaxAge + TimeSpan.FromSeconds(1), MaxAge), Is.Null);
        Assert.That(_instance.Live(Now, MaxAge), Has.Property("Name").EqualTo("node1").And.Property("Weight").EqualTo(3));
        Assert.That(_instance.Live(Now.AddHours(60), TimeSpan.FromDays(9)), Is.Null, "its certificates have expired");
    }

    private Receipt Receive(
        ulong revision, IReadOnlyList<IntroductionPoint> points, DateTimeOffset? now = null, TimePeriod? period = null) =>
        _instance.Receive(
            Build(_identity, revision, points, period ?? Period), [Period.Previous, Period, Period.Next], now ?? Now);

    private static string Build(IdentityKey identity, ulong revision, IReadOnlyList<IntroductionPoint> points, TimePeriod period) =>
        DescriptorBuilder.Build(
            identity, new DescriptorDraft { Period = period, RevisionCounter = revision, IntroductionPoints = points }, Now).Text;
}
