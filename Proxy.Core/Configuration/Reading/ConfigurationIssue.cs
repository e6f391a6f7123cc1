namespace TorBalancer.Configuration.Reading;

/// <summary>One mistake, or one thing worth a second look, in the configuration.</summary>
/// <param name="Origin">Where it stands.</param>
/// <param name="Message">What was found and what is allowed; never holds a password or a user list.</param>
internal sealed record ConfigurationIssue(ConfigurationOrigin Origin, string Message)
{
    /// <summary>What it is about, as far as that is known; all of it is in the message too.</summary>
    public IssueSubject Subject { get; init; }

    /// <summary><c>torbalancer.conf:12: message</c>.</summary>
    public override string ToString() => $"{Origin}: {Message}";
}

/// <summary>What an issue is about.</summary>
/// <param name="Section">"Balancing" or "Worker:w1".</param>
/// <param name="Key">The key; null: it is about the section.</param>
/// <param name="Found">What stands there; null for secrets and for what is not one value.</param>
/// <param name="Allowed">What may stand there, in words.</param>
internal readonly record struct IssueSubject(string? Section, string? Key = null, string? Found = null, string? Allowed = null);
