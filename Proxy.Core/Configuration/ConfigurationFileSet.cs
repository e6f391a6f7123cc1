using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration;

/// <summary>
/// The files of a configuration: the one that is named, and behind it those of <c>workers.d</c> beside it whose names end in
/// <c>.conf</c>, in the order of their names. Together they are read as if they were one file.
/// </summary>
internal sealed class ConfigurationFileSet(ConfigurationSources sources, ConfigurationIssues issues)
{
    /// <summary>The folder beside the file.</summary>
    public const string WorkersFolder = "workers.d";

    /// <summary>How names in it end.</summary>
    public const string Extension = ".conf";

    /// <summary>What can be read; what cannot is an issue.</summary>
    /// <param name="path">As the user named it.</param>
    public IReadOnlyList<ConfigurationText> Read(string path)
    {
        var texts = new List<ConfigurationText>();
        ReadOne(path, texts);
        if (path.Contains('\0'))
            return texts;
        string folder = Path.Combine(Path.GetDirectoryName(path) ?? "/", WorkersFolder);
        if (sources.Files.TryList(Path.GetFullPath(folder, sources.WorkingDirectory), out var names, out string problem))
        {
            foreach (string name in names.Where(IsRead).Order(StringComparer.Ordinal))
                ReadOne(Path.Combine(folder, name), texts);
        }
        else
        {
            issues.Error(new ConfigurationOrigin(ConfigurationLayer.File, folder), $"the folder {problem}");
        }

        return texts;
    }

    /// <summary>Hidden files are what editors leave there.</summary>
    private static bool IsRead(string name) => name.EndsWith(Extension, StringComparison.Ordinal) && !name.StartsWith('.');

    private void ReadOne(string name, List<ConfigurationText> texts)
    {
        string problem = "does not exist", path = name.Contains('\0') ? name : Path.GetFullPath(name, sources.WorkingDirectory);
        if (!name.Contains('\0') && sources.Files.TryRead(path, out string text, out problem))
            texts.Add(new ConfigurationText(name, path, text));
        else
            issues.Error(new ConfigurationOrigin(ConfigurationLayer.File, name), $"the configuration file {problem}");
    }
}
