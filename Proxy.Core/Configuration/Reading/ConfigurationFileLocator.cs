namespace TorBalancer.Configuration.Reading;

/// <summary>Finds the file: --config, else the environment, else the user's directory, else the system's.</summary>
internal static class ConfigurationFileLocator
{
    /// <summary>Names the file, and is no key: it is left out of the overrides.</summary>
    public const string Variable = "TORBALANCER_CONFIG";

    private const string InDirectory = "torbalancer/torbalancer.conf";
    private const string SystemWide = "/etc/torbalancer/torbalancer.conf";

    /// <summary>The file to read; null: there is none, the defaults hold.</summary>
    /// <param name="configPath">Value of --config, or null.</param>
    /// <returns>A file that was named must exist; one that was found does.</returns>
    public static string? Locate(string? configPath, IReadOnlyDictionary<string, string> environment, IConfigurationFiles files)
    {
        if (configPath is not null)
            return configPath;
        if (environment.TryGetValue(Variable, out var named) && named.Length > 0)
            return named;
        foreach (string candidate in Candidates(environment))
        {
            if (files.Exists(candidate))
                return candidate;
        }

        return null;
    }

    private static IEnumerable<string> Candidates(IReadOnlyDictionary<string, string> environment)
    {
        // XDG Base Directory Specification: a relative XDG_CONFIG_HOME is to be ignored.
        if (environment.TryGetValue("XDG_CONFIG_HOME", out var xdg) && xdg.StartsWith('/'))
            yield return Path.Combine(xdg, InDirectory);
        else if (environment.TryGetValue("HOME", out var home) && home.Length > 0)
            yield return Path.Combine(home, ".config", InDirectory);
        yield return SystemWide;
    }
}
