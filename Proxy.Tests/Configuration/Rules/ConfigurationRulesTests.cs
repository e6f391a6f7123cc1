using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Rules;
using TorBalancer.Tests.Configuration.Advice;

namespace TorBalancer.Tests.Configuration.Rules;

public class ConfigurationRulesTests
{
    [Test]
    public void Check_judges_and_changes_nothing() => Assert.Multiple(() =>
    {
        var texts = CommonMistakes.All.Select(static mistake => mistake.Text).Append("[Connect]\nTimeout = 3s\nAttemptTimeout = 9s");
        foreach (string text in texts)
        {
            var files = new FakeFiles();
            var issues = new ConfigurationIssues();
            var given = new GivenValues(default);
            var places = new ValuePlaces("/etc", "/wd", null);
            var layers = new LayerReader(Loading.Schema, given, places, issues);
            layers.ReadFile("t.conf", text);
            var options = new OptionsBinder(Loading.Schema, layers, places, files, issues).Bind();
            string bound = Loading.Dump(options);

            ConfigurationRules.Check(options, given, files, issues);

            Assert.That(Loading.Dump(options), Is.EqualTo(bound), text);
        }
    });
}
