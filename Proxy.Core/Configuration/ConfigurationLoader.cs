namespace TorBalancer.Configuration;

/// <summary>The way in: sources to options, with every mistake found on the way.</summary>
internal static class ConfigurationLoader
{
    /// <summary>Never throws for anything that a user can write; what is wrong is in the result.</summary>
    public static ConfigurationResult Load(ConfigurationSources sources) => new ConfigurationReader(sources).Read();
}
