using TorBalancer.Onion.Inspection;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>What the directories that clients ask have of an address, and what share of clients each instance gets by it.</summary>
/// <param name="Report">Of the balanced address.</param>
/// <param name="Shares">Of each instance; 1 is even. Clients ask each directory as often, and try introduction points by chance.</param>
internal sealed record DirectoryShares(DirectoriesReport Report, IReadOnlyList<double> Shares)
{
    /// <summary>The directories that clients ask.</summary>
    public IReadOnlyList<DirectoryReport> Asked => [.. Report.Directories.Where(static one => one.IsAsked)];

    /// <summary>Different descriptors among them, by their introduction points.</summary>
    public int Sets => Asked.Select(static one => string.Join(' ', KeysOf(one.Descriptor).Order())).Distinct().Count();

    /// <summary>False when a descriptor has two introduction points at one relay: tor's clients then use the first only.</summary>
    public bool AreApart => Asked.Select(static one => one.Descriptor?.InnerLayer?.IntroductionPoints ?? []).All(
        static points => points.DistinctBy(static point => point.Fingerprint).Count() == points.Count);

    /// <summary>Asks them all through a client.</summary>
    /// <param name="owners">Whose introduction points are whose, by their keys; what is not known yet is asked for and added.</param>
    public static async Task<DirectoryShares> ReadAsync(
        OnionClient client, OnionServiceAddress address, IReadOnlyList<OnionServiceAddress> instances, CancellationToken token,
        Dictionary<string, int>? owners = null)
    {
        owners ??= [];
        await using var control = await client.ConnectAsync(token);
        using var source = await DescriptorSource.OpenAsync(control, TimeSpan.FromSeconds(30), TimeProvider.System, token);
        var (consensus, isTesting, error) = await source.ReadNetworkAsync(token);
        Assert.That(consensus, Is.Not.Null, error);
        var schedule = new PeriodSchedule(consensus!, isTesting);
        var found = await new DescriptorInspection(source, address, consensus!, schedule).OfDirectoriesAsync(TimeProvider.System, token);
        double[] shares = new double[instances.Count];
        var asked = found.Directories.Where(static one => one.IsAsked).ToArray();
        bool areKnown = asked.All(one => KeysOf(one.Descriptor).All(owners.ContainsKey));
        for (int i = 0; i < instances.Count && !areKnown; i++)
        {
            // One that is not found has no share.
            var (report, _, _) = await new DescriptorInspection(source, instances[i], consensus!, schedule)
                .OfOneAsync(6, TimeProvider.System, token);
            foreach (string key in KeysOf(report))
                owners[key] = i;
        }

        foreach (var one in asked)
        {
            string[] keys = [.. KeysOf(one.Descriptor)];
            foreach (string key in keys)
            {
                if (owners.TryGetValue(key, out int owner))
                    shares[owner] += (double)instances.Count / asked.Length / keys.Length;
            }
        }

        return new DirectoryShares(found, shares);
    }

    public override string ToString() =>
        $"{Asked.Count} directories that clients ask, {Sets} different descriptors of "
            + $"{Asked.Min(static one => KeysOf(one.Descriptor).Count())} to {Asked.Max(static one => KeysOf(one.Descriptor).Count())} "
            + $"introduction points, {Report.IntroductionPoints} in all, up to {Asked.Max(static one => one.Descriptor?.Size)} bytes; "
            + $"shares {Shares.Min():P0} to {Shares.Max():P0} of even";

    private static IEnumerable<string> KeysOf(DescriptorReport? report) =>
        report?.InnerLayer?.IntroductionPoints.Select(static point => point.AuthenticationKey!) ?? [];
}
