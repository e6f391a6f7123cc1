namespace TorBalancer.Configuration.Reading;

/// <summary>A file of the configuration as it was read.</summary>
/// <param name="Name">Its path, as messages name it.</param>
/// <param name="Path">Its path, absolute.</param>
/// <param name="Text">All of it; may hold passwords.</param>
internal sealed record ConfigurationText(string Name, string Path, string Text)
{
    /// <summary>Without the text.</summary>
    public override string ToString() => Name;
}
