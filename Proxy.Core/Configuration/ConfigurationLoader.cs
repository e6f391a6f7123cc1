using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Rules;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Configuration;

/// <summary>
/// The way in: sources to options, with every mistake found on the way. The layers (file, environment, command line) are read
/// into one table of values with their origins, that is bound to options, and the options are judged.
/// </summary>
internal static class ConfigurationLoader
{
    /// <summary>Never throws for anything that a user can write; what is wrong is in the result.</summary>
    public static ConfigurationResult Load(ConfigurationSources sources)
    {
        string? path = ConfigurationFileLocator.Locate(sources.ConfigPath, sources.Environment, sources.Files);
        var issues = new ConfigurationIssues();
        var schema = new ConfigurationSchema(sources.ModeNames);
        var given = new GivenValues(path is null ? default : new ConfigurationOrigin(ConfigurationLayer.File, path));
        var places = PlacesOf(path, sources);

        var layers = new LayerReader(schema, given, places, issues);
        bool isNameless = path is "";
        if (isNameless)
            issues.Error(new ConfigurationOrigin(ConfigurationLayer.CommandLine), "--config needs the name of a file");
        var texts = sources.Texts ?? (path is null || isNameless ? [] : new ConfigurationFileSet(sources, issues).Read(path));
        foreach (var text in texts)
            layers.ReadFile(text.Name, text.Text);
        layers.ReadEnvironment(sources.Environment);
        bool areOverrides = layers.ReadArguments(sources.Arguments);
        layers.ReadChanges(sources.Changes);

        var options = new OptionsBinder(schema, layers, places, sources.Files, issues).Bind(sources.Parts);
        ConfigurationRules.Check(options, given, sources.Files, issues, sources.Parts);
        foreach (var text in texts.Where(text => given.HasSecretsIn(text.Name)))
            SecretFiles.WarnIfReadableByAll(text.Path, sources.Files, issues);
        return new ConfigurationResult
        {
            Options = options,
            Schema = schema,
            Given = given,
            Texts = texts,
            Errors = issues.Errors(),
            Warnings = issues.Warnings(),
            FilePath = path,
            HasUsageErrors = isNameless || !areOverrides,
        };
    }

    private static ValuePlaces PlacesOf(string? path, ConfigurationSources sources)
    {
        string directory = path is { Length: > 0 } && !path.Contains('\0')
            ? Path.GetDirectoryName(Path.GetFullPath(path, sources.WorkingDirectory)) ?? "/"
            : sources.WorkingDirectory;
        return new ValuePlaces(directory, sources.WorkingDirectory, sources.Environment.GetValueOrDefault("HOME"));
    }
}
