using TorBalancer.Primitives;

namespace TorBalancer.Admin.Metrics;

/// <summary>Takes the values of one metric.</summary>
internal interface IMetricSink
{
    /// <param name="labels">In the order of <see cref="MetricDescription.Labels"/>.</param>
    void Add(double value, params ReadOnlySpan<string> labels);

    /// <inheritdoc cref="Add(double, ReadOnlySpan{string})" />
    void Add(DurationHistogram histogram, params ReadOnlySpan<string> labels);
}

/// <summary>Values that there are several of.</summary>
internal static class MetricSinkExtensions
{
    private static readonly FailureCause[] Causes = Enum.GetValues<FailureCause>();

    /// <summary>Those that were met, and success always, so that its first increase is seen too; the cause is the last label.</summary>
    public static void AddCauses(this IMetricSink sink, CauseCounts counts, params ReadOnlySpan<string> labels)
    {
        string[] all = [.. labels, ""];
        foreach (var cause in Causes)
        {
            long count = counts[cause];
            if (count == 0 && cause != FailureCause.None)
                continue;
            all[^1] = cause.Word();
            sink.Add(count, all);
        }
    }
}
