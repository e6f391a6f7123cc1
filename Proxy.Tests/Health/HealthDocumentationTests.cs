using System.Globalization;
using System.Text;
using TorBalancer.Health;
using TorBalancer.Tests.Architecture;

namespace TorBalancer.Tests.Health;

/// <summary>The table of transitions in docs/health.md is that of the code. UPDATE_DOCS=1 writes it anew.</summary>
public class HealthDocumentationTests
{
    [Test]
    public void Transitions_are_those_of_the_table() => GeneratedTable.Check("docs/health.md", "transitions", Render());

    private static string Render()
    {
        var table = new StringBuilder("| From | To | Reason | When |\n|---|---|---|---|\n");
        foreach (var (transition, when) in HealthTransitions.Table)
        {
            table.Append(CultureInfo.InvariantCulture,
                $"| {transition.From.ToString().ToUpperInvariant()} | {transition.To.ToString().ToUpperInvariant()} | "
                    + $"`{transition.Change.Word()}` | {when} |\n");
        }

        return table.ToString();
    }
}
