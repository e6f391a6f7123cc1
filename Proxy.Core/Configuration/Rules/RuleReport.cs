using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Rules;

/// <summary>How a rule says what it found: of a key, where that is given.</summary>
internal sealed class RuleReport(GivenValues given, ConfigurationIssues issues)
{
    /// <summary>The daemon must not start.</summary>
    /// <param name="section">The section's path: "Balancing" or "Worker:w1".</param>
    /// <param name="key">The key to blame.</param>
    /// <param name="message">What was found and what is allowed.</param>
    public void Error(string section, string key, string message)
    {
        string? found = given.Find(section, key) is { IsSet: true, Key.IsSecret: false } value ? ConfText.Printable(value.Text) : null;
        issues.Error(given.OriginOf(section, key), $"[{section}] {message}", new IssueSubject(section, key, found));
    }

    /// <summary>It may be meant, but is worth a second look.</summary>
    /// <inheritdoc cref="Error"/>
    public void Warning(string section, string key, string message) =>
        issues.Warning(given.OriginOf(section, key), $"[{section}] {message}");

    /// <summary>The key to blame for a worker's SOCKS address.</summary>
    public string SocksKey(string section) => given.IsSet(section, "SocksPort") ? "SocksPort" : "Address";
}
