using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Tests.Configuration.Advice;

/// <summary>Each message is tried by what people really write, and each suggestion by doing what it says.</summary>
public class CommonMistakesTests
{
    private static IEnumerable<TestCaseData> Mistakes => CommonMistakes.All.Select(static mistake =>
        new TestCaseData(mistake).SetArgDisplayNames(ConfText.Printable(mistake.Text.Replace("\n", " | ", StringComparison.Ordinal))));

    [Test]
    public void Mistakes_are_many() => Assert.That(CommonMistakes.All, Has.Count.GreaterThan(250));

    [TestCaseSource(nameof(Mistakes))]
    public void Load_says_what_helps(object one)
    {
        var mistake = (Mistake)one;
        var result = Loading.Text(mistake.Text);

        Assert.Multiple(() =>
        {
            Assert.That(result.Errors, Has.Count.EqualTo(mistake.Issues.Count(static issue => !issue.IsWarning)),
                Loading.Join(result.Errors));
            foreach (var expected in mistake.Issues)
            {
                var there = (expected.IsWarning ? result.Warnings : result.Errors)
                    .Where(issue =>
                        issue.Origin.Line == expected.Line
                        && expected.Texts.TrueForAll(text => issue.Message.Contains(text, StringComparison.Ordinal)));
                Assert.That(there, Is.Not.Empty, $"line {expected.Line}: "
                    + $"{string.Join(" | ", expected.Texts)}\n{Loading.Join(result.Errors)}\n{Loading.Join(result.Warnings)}");
            }
        });
    }

    [TestCaseSource(nameof(Mistakes))]
    public void Load_takes_what_it_suggested(object one)
    {
        var mistake = (Mistake)one;
        var (text, left) = SuggestionApplier.Apply(mistake.Text, Loading.Text(mistake.Text).Errors);

        var errors = Loading.Text(text).Errors;

        Assert.That(errors, Has.Count.LessThanOrEqualTo(left), $"{text}\n{Loading.Join(errors)}");
    }
}
