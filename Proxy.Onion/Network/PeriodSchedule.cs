using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Network;

/// <summary>Which of the two descriptors that a service keeps published (rend-spec-v3, 2.2.4).</summary>
internal enum DescriptorOrder : byte
{
    /// <summary>For clients whose consensus is older: the earlier time period or its shared random value.</summary>
    First,

    /// <summary>For those whose consensus is newer.</summary>
    Second,
}

/// <summary>What one of the two descriptors is published by.</summary>
/// <param name="SharedRandom">Where the directories stand in the hash ring follows from it.</param>
/// <param name="RunStart">When the run of the shared random value began that its revision counter counts from, in Unix seconds.</param>
internal readonly record struct DescriptorTerm(DescriptorOrder Order, TimePeriod Period, Bytes32 SharedRandom, long RunStart);

/// <summary>
/// Time periods and runs of the shared random value by a consensus. All is counted from its valid-after, not from the clock, as tor does:
///
///     00:00      12:00       00:00       12:00       00:00       12:00   UTC, on the public network
///     SRV#1      TP#1        SRV#2       TP#2        SRV#3       TP#3
///       |==========|-----------|===========|-----------|===========|
///
/// From a new SRV to the next TP: first is the current period with the previous SRV, second the next one with the current SRV. From a
/// new TP to the next SRV: first is the previous period with the previous SRV, second the current one with the current SRV.
/// </summary>
/// <param name="consensus">The network's word on times and values.</param>
/// <param name="isTestingNetwork">True under TestingTorNetwork: there a time period is as long as a run.</param>
internal sealed class PeriodSchedule(NetworkConsensus consensus, bool isTestingNetwork)
{
    // SHARED_RANDOM_N_ROUNDS: two phases of twelve rounds each are a run.
    private const long RoundsPerPhase = 12, RoundsPerRun = 24;

    private readonly long _validAfter = consensus.ValidAfter.ToUnixTimeSeconds();

    /// <summary>A phase, half a run, in seconds.</summary>
    private long PhaseDuration => RoundsPerPhase * consensus.VotingInterval;

    private long RunDuration => RoundsPerRun * consensus.VotingInterval;

    /// <summary>A time period's length in minutes.</summary>
    public long PeriodLength => isTestingNetwork
        ? Math.Max(1, RunDuration / 60)
        : consensus.Parameter("hsdir_interval", 1440, 30, 14_400);

    /// <summary>How many minutes past the epoch the first time period begins.</summary>
    public long OffsetMinutes => PhaseDuration / 60;

    /// <summary>The time period that the consensus is in.</summary>
    public TimePeriod Current => PeriodAt(_validAfter);

    /// <summary>When the run began that the consensus is in, in Unix seconds.</summary>
    public long RunStart => _validAfter - (_validAfter / consensus.VotingInterval % RoundsPerRun * consensus.VotingInterval);

    /// <summary>True between a new time period and the next shared random value.</summary>
    public bool IsBetweenPeriodAndSharedRandom => _validAfter < RunStart || _validAfter >= StartOfPeriodAfter(RunStart);

    /// <summary>What the first or the second descriptor is published by.</summary>
    public DescriptorTerm Term(DescriptorOrder order)
    {
        bool isBetween = IsBetweenPeriodAndSharedRandom;
        if (order == DescriptorOrder.First)
        {
            var period = isBetween ? Current.Previous : Current;
            return new DescriptorTerm(order, period, consensus.PreviousSharedRandom ?? Disaster(period), RunStart - RunDuration);
        }
        else
        {
            var period = isBetween ? Current : Current.Next;
            return new DescriptorTerm(order, period, consensus.CurrentSharedRandom ?? Disaster(period), RunStart);
        }
    }

    /// <summary>What stands for a shared random value that the authorities did not agree on (rend-spec-v3, 2.2.4.1).</summary>
    private static Bytes32 Disaster(TimePeriod period)
    {
        using var hash = new Sha3();
        return hash.Add("shared-random-disaster"u8).Add(period.Length).Add(period.Number).Finish();
    }

    private TimePeriod PeriodAt(long seconds)
    {
        long minutes = Math.Max(0, (seconds / 60) - OffsetMinutes);
        return new TimePeriod((ulong)(minutes / PeriodLength), (ulong)PeriodLength);
    }

    private long StartOfPeriodAfter(long seconds) => ((long)PeriodAt(seconds).Next.Number * PeriodLength * 60) + PhaseDuration;
}
