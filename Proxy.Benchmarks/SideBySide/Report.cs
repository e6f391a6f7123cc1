using System.Text;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Scenarios;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>Prints each table as soon as it is there, and writes all of them to a file in the end.</summary>
internal sealed class Report
{
    private readonly RunOptions _options;
    private readonly IReadOnlyList<ForwarderSpec> _specs;
    private readonly StringBuilder _text = new();
    private readonly List<Comparison> _comparisons = [];
    private FairnessScenario? _fairness;

    public Report(RunOptions options, IReadOnlyList<ForwarderSpec> specs)
    {
        _options = options;
        _specs = specs;
        Add($"## Side by side\n\n`./bench.sh {options.CommandLine}`\n\n{Machine.Line()}\n\n"
            + $"The forwarder alone on core {options.Core}; load generator and stub worker on the others. Medians of {options.Rounds} "
            + $"alternating rounds of {options.Window} s.\n\n{Machine.Versions(specs)}");
    }

    public void Add(string section)
    {
        _text.Append(section).Append('\n');
        Console.WriteLine(section);
    }

    public void Add(Comparison comparison)
    {
        _comparisons.Add(comparison);
        Add(comparison.ToString());
    }

    public void Add(FairnessScenario fairness)
    {
        _fairness = fairness;
        Add(fairness.ToString());
    }

    public void Finish()
    {
        if (Summary.Of(_specs, _comparisons, _fairness) is { } summary)
            Add(summary);
        if (RequestSummary.Of(_specs, _comparisons) is { } requests)
            Add(requests);
        if (_options.Out is not null)
            File.WriteAllText(_options.Out, _text.ToString());
        if (_options.Csv is not null)
            File.WriteAllLines(_options.Csv, CsvLines());
    }

    private IEnumerable<string> CsvLines()
    {
        yield return "scenario,kind,client,connections,request,forwarder,operations,bytes,seconds,cpu,loadcpu,p50,p99,failures";
        foreach (var comparison in _comparisons)
        {
            foreach (string name in comparison.Names)
            {
                foreach (var result in comparison.Of(name))
                {
                    var cell = comparison.Cell;
                    yield return string.Create(
                        System.Globalization.CultureInfo.InvariantCulture,
                        $"{cell.Scenario},{cell.Kind},{cell.Client},{cell.Connections},\"{cell.Request}\",\"{name}\","
                            + $"{result.Operations},{result.Bytes},"
                            + $"{result.Seconds:F4},{result.WholeCpu:F4},{result.LoadCpu:F4},{result.P50},{result.P99},{result.Failures}");
                }
            }
        }
    }
}
