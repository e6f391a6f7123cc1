namespace TorBalancer.Configuration.Reading;

/// <summary>Where sections and keys were first given, over all files: together they are read as if they were one.</summary>
internal sealed class ConfPlaces
{
    private readonly Dictionary<string, ConfigurationOrigin> _places = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Where it was given before; null: it was not, and from now on it is here.</summary>
    /// <param name="name">A section, or a key with its section.</param>
    public ConfigurationOrigin? Of(string name, ConfigurationOrigin here) => _places.TryAdd(name, here) ? null : _places[name];
}
