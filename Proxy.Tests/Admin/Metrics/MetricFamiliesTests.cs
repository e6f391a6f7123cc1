using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TorBalancer.Admin.Metrics;
using TorBalancer.Tests.Architecture;

namespace TorBalancer.Tests.Admin.Metrics;

/// <summary>Names, labels and sentences of all metrics. UPDATE_DOCS=1 writes the table in docs/metrics.md anew.</summary>
public partial class MetricFamiliesTests
{
    [Test]
    public void Docs_tables_show_every_metric()
    {
        var table = new StringBuilder("| Metric | Kind | Labels | What it is |\n|---|---|---|---|\n");
        foreach (var family in MetricFamilies.All)
        {
            string labels = string.Join(", ", family.Labels.Select(static label => $"`{label}`"));
            table.Append(
                CultureInfo.InvariantCulture,
                $"| `{family.SampleName}` | {family.Kind.ToString().ToLowerInvariant()} | {labels} | {family.Help} |\n");
        }

        GeneratedTable.Check("docs/metrics.md", "metrics", table.ToString());
    }

    [Test]
    public void Names_are_those_of_the_conventions() => Assert.Multiple(static () =>
    {
        foreach (var family in MetricFamilies.All)
        {
            Assert.That(family.Name, Does.Match(DottedName()));
            Assert.That(family.SampleName, Does.Match(PlainName()), "the design says what they begin with");
            Assert.That(family.SampleName.EndsWith("_total", StringComparison.Ordinal), Is.EqualTo(family.Kind == MetricKind.Counter));
            Assert.That(family.Labels, Is.All.Match(PlainLabel()).And.All.Not.AnyOf("le", "job", "instance"));
            Assert.That(family.Help, Does.Not.Match(@"[""\\\n]|\.$"), "no format has to escape it");
        }
    });

    [Test]
    public void No_two_share_a_name_in_any_format()
    {
        // In OpenMetrics a counter and a gauge that differ only in _total are one metric.
        Assert.That(MetricFamilies.All.Select(static family => family.FamilyName), Is.Unique);
        Assert.That(MetricFamilies.All.Select(static family => family.Name), Is.Unique);
    }

    [GeneratedRegex(@"^torbalancer(\.[a-z][a-z_]*)+\z")]
    private static partial Regex DottedName();

    [GeneratedRegex(@"^torbalancer(_[a-z]+)+\z")]
    private static partial Regex PlainName();

    [GeneratedRegex(@"^[a-z][a-z_]*\z")]
    private static partial Regex PlainLabel();
}
