using System.Globalization;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;

namespace TorBalancer.Onion.Inspection;

/// <summary>The time periods that a descriptor may be of.</summary>
internal sealed class PeriodCandidates
{
    // rend-spec-v3, 2.2.1: the periods of the public network begin at noon.
    private const long PublicLength = 1440, PublicOffset = 720;

    private readonly long _offsetMinutes;

    private PeriodCandidates(IReadOnlyList<TimePeriod> periods, long offsetMinutes)
    {
        Periods = periods;
        _offsetMinutes = offsetMinutes;
    }

    public IReadOnlyList<TimePeriod> Periods { get; }

    /// <summary>Those that services and clients with this consensus, or with one beside it, are in.</summary>
    public static PeriodCandidates Of(PeriodSchedule schedule) =>
        new([schedule.Current, schedule.Current.Next, schedule.Current.Previous], schedule.OffsetMinutes);

    /// <summary>Those of the public network around a time, without a consensus: a week before it, and a day after.</summary>
    public static PeriodCandidates Around(DateTimeOffset now)
    {
        long current = Math.Max(8, ((now.ToUnixTimeSeconds() / 60) - PublicOffset) / PublicLength);
        return new PeriodCandidates(
            [.. Enumerable.Range(-7, 9).Select(i => new TimePeriod((ulong)(current + i), (ulong)PublicLength))], PublicOffset);
    }

    /// <summary>When a period begins, by valid-after of the consensus that clients have.</summary>
    public DateTimeOffset BeginOf(TimePeriod period) =>
        DateTimeOffset.UnixEpoch.AddMinutes((double)(period.Number * period.Length) + _offsetMinutes);

    public override string ToString()
    {
        var numbers = Periods.Select(static period => period.Number).Order().ToArray();
        return string.Create(
            CultureInfo.InvariantCulture, $"the periods {numbers[0]} to {numbers[^1]} of {Periods[0].Length} min");
    }
}
