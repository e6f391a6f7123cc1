using System.Globalization;

namespace TorBalancer.Onion.Keys;

/// <summary>A time period: the span in which a service goes by one blinded key (rend-spec-v3, 2.2.1).</summary>
/// <param name="Number">Counted from the epoch; see Network.PeriodSchedule.</param>
/// <param name="Length">In minutes: 1,440 on the public network.</param>
internal readonly record struct TimePeriod(ulong Number, ulong Length)
{
    public TimePeriod Next => this with { Number = Number + 1 };

    public TimePeriod Previous => this with { Number = Number - 1 };

    // What a record would print by itself has no end: each period has a next one.
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number} of {Length} min");
}
