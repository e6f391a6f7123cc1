using System.Globalization;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;

namespace TorBalancer.Onion.Inspection;

/// <summary>What each of the directories has that keep a service's descriptor of the current time period.</summary>
/// <param name="Fetched">How many of each replica clients ask.</param>
/// <param name="IntroductionPoints">Different ones over all directories that clients ask.</param>
/// <param name="Problems">Those of all of them, each named by its directory.</param>
internal sealed record DirectoriesReport(
    string Address, PeriodReport Period, int Fetched, int IntroductionPoints, IReadOnlyList<DirectoryReport> Directories,
    IReadOnlyList<string> Problems);

/// <param name="IsAsked">True when clients ask it; the others only keep a copy for when a directory goes.</param>
/// <param name="Failure">Tor's word for why it gave nothing; null when it gave a descriptor.</param>
internal sealed record DirectoryReport(
    string Fingerprint, int Replica, int Rank, bool IsAsked, DescriptorReport? Descriptor, string? Failure);

/// <summary>Fetches an address's descriptors and shows them.</summary>
internal sealed class DescriptorInspection(
    DescriptorSource source, OnionServiceAddress address, NetworkConsensus consensus, PeriodSchedule schedule)
{
    private readonly PeriodCandidates _periods = PeriodCandidates.Of(schedule);

    /// <summary>As a client would: of a directory that tor picks, another one when that has none.</summary>
    public async Task<(DescriptorReport? Report, string? Directory, string? Failure)> OfOneAsync(
        int attempts, TimeProvider time, CancellationToken cancellationToken)
    {
        string? failure = null;
        for (int i = 0; i < attempts; i++)
        {
            var fetched = await source.FetchAsync(address, null, cancellationToken);
            if (fetched.Text is { } text)
                return (Inspect(text, time), fetched.Directory, null);

            // That there is nobody left to ask says less than what the last one answered.
            failure = fetched.Directory is null ? failure ?? fetched.Failure : fetched.Failure;
        }

        return (null, null, failure);
    }

    /// <summary>Of each directory, one after the other.</summary>
    public async Task<DirectoriesReport> OfDirectoriesAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        var period = schedule.Current;
        var term = new[] { schedule.Term(DescriptorOrder.First), schedule.Term(DescriptorOrder.Second) }.First(one => one.Period == period);
        var blindedKey = KeyBlinding.BlindedKey(address, period) ?? default;
        var responsible = new HashRing(consensus.Directories, period, term.SharedRandom)
            .Responsible(blindedKey, consensus.Replicas, consensus.SpreadStore);
        var found = new List<DirectoryReport>();
        var problems = new List<string>();
        foreach (var one in responsible)
        {
            string fingerprint = one.Relay.Fingerprint;
            var fetched = await source.FetchAsync(address, fingerprint, cancellationToken);
            var report = fetched.Text is { } text ? Inspect(text, time) : null;
            found.Add(new DirectoryReport(
                fingerprint, one.Replica, one.Rank, one.Rank < consensus.SpreadFetch, report, report is null ? fetched.Failure : null));
            problems.AddRange((report?.Problems ?? [$"no descriptor: {fetched.Failure}"]).Select(problem => $"{fingerprint}: {problem}"));
        }

        int points = found.Where(static one => one.IsAsked)
            .SelectMany(static one => one.Descriptor?.InnerLayer?.IntroductionPoints ?? [])
            .DistinctBy(static point => point.AuthenticationKey).Count();
        Compare(found, problems);
        return new DirectoriesReport(
            address.ToString(), new PeriodReport(period.Number, period.Length, _periods.BeginOf(period)), consensus.SpreadFetch, points,
            found, problems);
    }

    // A client that has one of them drops another with a smaller counter.
    private static void Compare(List<DirectoryReport> found, List<string> problems)
    {
        var counters = found.Where(static one => one.IsAsked && one.Descriptor?.RevisionCounter is not null)
            .Select(static one => one.Descriptor!.RevisionCounter!.Value).Distinct().Order().ToArray();
        if (counters.Length > 1)
        {
            problems.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"the directories that clients ask have {counters.Length} revisions, {counters[0]} to {counters[^1]}: "
                    + $"an upload is under way, or some failed"));
        }
    }

    private DescriptorReport Inspect(string text, TimeProvider time) =>
        DescriptorInspector.Inspect(text, address, _periods, consensus.MaxDescriptorSize, time.GetUtcNow());
}
