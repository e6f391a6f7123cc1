using System.Globalization;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;

namespace TorBalancer.Onion.Publishing;

/// <summary>
/// What a service's descriptors are to say now: its live instances, and how their introduction points go to the directories. The choice
/// depends on nothing but the points and the time period: a publisher that begins again, and another one with the same key, come to the
/// same one.
/// </summary>
internal sealed class ServicePlan
{
    private ServicePlan(IReadOnlyList<InstancePoints> instances, bool isDistinct, string? flowControl, bool isSingleOnion)
    {
        (Instances, IsDistinct, FlowControl, IsSingleOnion) = (instances, isDistinct, flowControl, isSingleOnion);
        Key = KeyOf(this);
    }

    /// <summary>In an order that follows from their points.</summary>
    public IReadOnlyList<InstancePoints> Instances { get; }

    public bool IsDistinct { get; }

    /// <summary>What all of them agree on; null otherwise.</summary>
    public string? FlowControl { get; }

    public bool IsSingleOnion { get; }

    /// <summary>Two plans with the same key are the same.</summary>
    public string Key { get; }

    /// <param name="live">Those to be published, with what their descriptors say; not empty.</param>
    public static ServicePlan Of(IReadOnlyList<(InstancePoints Points, DescriptorContent Content)> live, DescriptorSets sets)
    {
        // By their keys: names and the order of descriptors may differ between publishers.
        var ordered = live.Select(static one => (Points: Ordered(one.Points), one.Content))
            .OrderBy(static one => one.Points.Points[0].AuthenticationKey.Key).ToArray();
        string? flowControl = ordered[0].Content.FlowControl;
        return new ServicePlan(
            [.. ordered.Select(static one => one.Points)],
            sets == DescriptorSets.Distinct
                || (sets == DescriptorSets.Auto && ordered.Length > OnionServiceOptions.MostInOneDescriptor),
            ordered.All(one => one.Content.FlowControl == flowControl) ? flowControl : null,
            ordered.All(static one => one.Content.IsSingleOnion));
    }

    /// <summary>The introduction points for each directory, in the order of <paramref name="directories"/>.</summary>
    /// <param name="spreadFetch">How many directories of each replica clients ask.</param>
    public IReadOnlyList<IReadOnlyList<IntroductionPoint>> PointsFor(
        IReadOnlyList<ResponsibleDirectory> directories, int spreadFetch, TimePeriod period)
    {
        var random = new Random(Seed(period));
        if (!IsDistinct)
        {
            var points = IntroductionPlan.Single(Instances, random);
            return [.. directories.Select(_ => points)];
        }

        // Those that clients ask come first, so that load is even over them; the others go on where they end.
        int[] order = [.. Enumerable.Range(0, directories.Count).OrderBy(i => directories[i].Rank).ThenBy(i => directories[i].Replica)];
        int asked = Math.Max(1, directories.Count(one => one.Rank < spreadFetch));
        var sets = IntroductionPlan.Distinct(Instances, asked, directories.Count, random);
        var result = new IReadOnlyList<IntroductionPoint>[directories.Count];
        for (int i = 0; i < order.Length; i++)
            result[order[i]] = sets[i];
        return result;
    }

    private static InstancePoints Ordered(InstancePoints instance) =>
        instance with { Points = [.. instance.Points.OrderBy(static one => one.AuthenticationKey.Key)] };

    private int Seed(TimePeriod period)
    {
        using var hash = new Sha3();
        Span<byte> bytes = stackalloc byte[Bytes32.Length];
        hash.Add(Encoding.UTF8.GetBytes(Key)).Add(period.Number).Finish(bytes);
        return BitConverter.ToInt32(bytes) & int.MaxValue;
    }

    private static string KeyOf(ServicePlan plan)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{plan.IsDistinct} {plan.IsSingleOnion} {plan.FlowControl}");
        foreach (var instance in plan.Instances)
        {
            text.Append(CultureInfo.InvariantCulture, $"|{instance.Weight}");
            foreach (var point in instance.Points)
                text.Append(' ').Append(point.AuthenticationKey.Key);
        }

        return text.ToString();
    }
}
