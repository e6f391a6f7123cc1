using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>What paths in values are relative to.</summary>
/// <param name="fileDirectory">For values of the file: its directory.</param>
/// <param name="workingDirectory">For values of the environment and the command line.</param>
/// <param name="home">For a leading ~/ in any of them; null: unknown.</param>
internal sealed class ValuePlaces(string fileDirectory, string workingDirectory, string? home)
{
    /// <summary>The surroundings of a value of that layer.</summary>
    public ValueContext Of(ConfigurationLayer layer, bool isQuoted = false) =>
        new(layer == ConfigurationLayer.File ? fileDirectory : workingDirectory, home, isQuoted);
}
