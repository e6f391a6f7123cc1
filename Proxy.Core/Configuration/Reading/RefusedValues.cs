using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>Says what is wrong with a value, and remembers that its key has none.</summary>
internal sealed class RefusedValues(GivenValues given, ConfigurationIssues issues)
{
    /// <summary>Refuses <paramref name="text"/>; a secret is not repeated.</summary>
    public void Add(string section, SchemaKey key, string text, ConfigurationOrigin origin, ValueProblem problem)
    {
        given.AddFailed(section, key.Name);
        string found = key.IsSecret ? key.Name : $"{key.Name} = \"{ConfText.Printable(text)}\"";
        string allowed = problem.ShowAllowed ? $"; allowed: {key.Allowed}" : "";
        string meant = problem.Suggestion is null || key.IsSecret ? "" : $"; did you mean \"{problem.Suggestion}\"?";
        var subject = new IssueSubject(
            section, key.Name, key.IsSecret ? null : ConfText.Printable(text), problem.ShowAllowed ? key.Allowed : null);
        issues.Error(origin, $"[{section}] {found} {problem.What}{allowed}{meant}", subject);
    }
}
