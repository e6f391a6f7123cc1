using TorBalancer.Primitives;

namespace TorBalancer.Tests.Architecture;

/// <summary>The tables of causes in the documentation are those of the code. UPDATE_DOCS=1 writes them anew.</summary>
public class CauseDocumentationTests
{
    [Test]
    public void Reply_codes_are_those_of_the_mappers() => GeneratedTable.Check("docs/listeners.md", "reply codes", CauseTables.Replies());

    [Test]
    public void Faults_and_retries_are_those_of_the_table() => GeneratedTable.Check("docs/failures.md", "faults", CauseTables.Faults());

    [Test]
    public void Tables_have_a_row_for_every_cause()
    {
        var causes = Enum.GetValues<FailureCause>()
            .Where(static cause => cause != FailureCause.None)
            .Select(static cause => $"| `{cause.Word()}` |");

        Assert.That(causes.Where(static cell => !CauseTables.Replies().Contains(cell) || !CauseTables.Faults().Contains(cell)), Is.Empty);
    }
}
