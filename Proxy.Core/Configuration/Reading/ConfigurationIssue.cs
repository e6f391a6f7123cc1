namespace TorBalancer.Configuration.Reading;

/// <summary>One mistake, or one thing worth a second look, in the configuration.</summary>
/// <param name="Origin">Where it stands.</param>
/// <param name="Message">What was found and what is allowed; never holds a password or a user list.</param>
internal sealed record ConfigurationIssue(ConfigurationOrigin Origin, string Message)
{
    /// <summary><c>torbalancer.conf:12: message</c>.</summary>
    public override string ToString() => $"{Origin}: {Message}";
}
