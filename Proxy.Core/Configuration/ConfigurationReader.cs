using Microsoft.Extensions.Configuration;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Configuration;

/// <summary>
/// One reading of the configuration: file, environment and command line are resolved to known keys, layered by
/// Microsoft.Extensions.Configuration (the last one wins), and put into the options row by row of the schema.
/// </summary>
internal sealed class ConfigurationReader
{
    private readonly ConfigurationSources _sources;
    private readonly ConfigurationSchema _schema;
    private readonly NameAdvice _names;
    private readonly SectionTable _sections;
    private readonly string? _path;
    private readonly string _fileDirectory;
    private readonly HashSet<ConfigurationOrigin> _quoted = [];
    private bool _usageErrors;

    public ConfigurationReader(ConfigurationSources sources)
    {
        _sources = sources;
        _schema = new ConfigurationSchema(sources.ModeNames);
        _path = sources.FileText is null ? ConfigurationFileLocator.Locate(sources) : sources.ConfigPath ?? "torbalancer.conf";
        Whole = _path is null ? default : new ConfigurationOrigin(ConfigurationLayer.File, _path);
        Origins = new KeyOrigins(Whole);
        _names = new NameAdvice(_schema);
        _sections = new SectionTable(_schema, _names, Issues, Origins);
        _fileDirectory = _path is { Length: > 0 } && !_path.Contains('\0')
            ? Path.GetDirectoryName(Path.GetFullPath(_path, sources.WorkingDirectory)) ?? "/"
            : sources.WorkingDirectory;
    }

    public ConfigurationIssues Issues { get; } = new();

    public KeyOrigins Origins { get; }

    public ConfigurationOrigin Whole { get; }

    public IConfigurationFiles Files => _sources.Files;

    public ConfigurationResult Read()
    {
        var configuration = Layer();
        var options = new TorBalancerOptions();
        Fill(configuration, _schema.Admin, options.Admin);
        Fill(configuration, _schema.Balancing, options.Balancing);
        Fill(configuration, _schema.Connect, options.Connect);
        Fill(configuration, _schema.Tunnel, options.Tunnel);
        Fill(configuration, _schema.Engine, options.Engine);
        Fill(configuration, _schema.Health, options.Health);
        Fill(configuration, _schema.Alerts, options.Alerts);
        Fill(configuration, _schema.Blacklist, options.Blacklist);
        Fill(configuration, _schema.Route, options.Route);
        Fill(configuration, _schema.Log, options.Log);
        Fill(configuration, _schema.ManagedWorkers, options.ManagedWorkers);
        foreach (var section in _sections.Of(_schema.Listener))
        {
            var draft = new ListenerDraft(section.Name);
            Fill(configuration, _schema.Listener, draft, section.Path);
            draft.Complete(this, section.Path);
            options.Listeners.Add(draft.Options);
        }

        foreach (var section in _sections.Of(_schema.Rule))
        {
            var rule = new RuleOptions { Name = section.Name };
            Fill(configuration, _schema.Rule, rule, section.Path);
            options.Route.Rules.Add(rule);
        }

        foreach (var section in _sections.Of(_schema.Worker))
        {
            var draft = new WorkerDraft(section.Name);
            Fill(configuration, _schema.Worker, draft, section.Path);
            draft.Complete(this, section.Path);
            options.Workers.Add(draft.Options);
        }

        if (options.Listeners.Count == 0)
            options.Listeners.Add(new ListenerOptions { Name = "main" });
        new ConfigurationRules(options, this).Check();
        WarnOfSecretsInFile();
        return new ConfigurationResult
        {
            Options = options,
            Errors = Issues.Errors(),
            Warnings = Issues.Warnings(),
            FilePath = _path,
            HasUsageErrors = _usageErrors,
        };
    }

    /// <summary>Warns when every user of the machine can read a file that should be private.</summary>
    public void WarnIfReadableByAll(string path, string why)
    {
        if (Files.Mode(path) is { } mode && (mode & UnixFileMode.OtherRead) != 0)
        {
            var origin = new ConfigurationOrigin(ConfigurationLayer.File, path);
            Issues.Warning(origin, $"{why}, but every user of this machine can read it; chmod o-r is advised");
        }
    }

    private IConfigurationRoot Layer()
    {
        var builder = new ConfigurationBuilder();
        if (ReadText() is { } text)
        {
            var file = ConfFile.Parse(text, _path!, Issues, new LineAdvice(_names));
            foreach (var written in file.Sections)
                Resolve(written);
            builder.AddIniStream(file.OpenCleaned());
        }

        var advice = new OverrideAdvice(_schema);
        builder.AddInMemoryCollection(Resolve(ConfigurationOverrides.FromEnvironment(_sources.Environment, Issues, advice)));
        builder.AddInMemoryCollection(Resolve(ConfigurationOverrides.FromArguments(_sources.Arguments, Issues, advice, out bool malformed)));
        _usageErrors |= malformed;
        return builder.Build();
    }

    private string? ReadText()
    {
        if (_sources.FileText is not null)
            return _sources.FileText;
        if (_path is null)
            return null;
        if (_path.Length == 0)
        {
            Issues.Error(new ConfigurationOrigin(ConfigurationLayer.CommandLine), "--config needs the name of a file");
            _usageErrors = true;
            return null;
        }

        string problem = "does not exist";
        if (!_path.Contains('\0') && Files.TryRead(Path.GetFullPath(_path, _sources.WorkingDirectory), out string text, out problem))
            return text;
        Issues.Error(Whole, $"the configuration file {problem}");
        return null;
    }

    private void Resolve(ConfSection written)
    {
        var section = _sections.Section(written.Name, new ConfigurationOrigin(ConfigurationLayer.File, _path!, written.Line));
        if (section is null)
            return;
        foreach (var entry in written.Entries)
        {
            var origin = new ConfigurationOrigin(ConfigurationLayer.File, _path!, entry.Line);
            if (entry.IsQuoted)
                _quoted.Add(origin);
            if (_sections.Key(section, entry.Key, entry.Value, origin) is { } row && ValueSyntax.Check(row, entry, Context(ConfigurationLayer.File)) is { } problem)
                Refuse(section.Path, row, entry.Value, origin, problem);
        }
    }

    private Dictionary<string, string?> Resolve(List<ConfigurationOverride> overrides)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var one in overrides)
        {
            var section = _sections.Section(one.Section, one.Origin);
            if (section is null || _sections.Key(section, one.Key, one.Value, one.Origin) is not { } row)
                continue;
            values[$"{section.Path}:{one.Key}"] = one.Value;
            if (ConfEncoding.Problem(one.Value) is { } unreadable)
                Refuse(section.Path, row, one.Value, one.Origin, new ValueProblem(unreadable, ShowAllowed: false));

            // Nothing can be quoted there, so it may be meant.
            else if (row.IsSecret && ValueSyntax.CommentSign(one.Value, isSecret: true) is { At: > 0, Sign: var sign })
                Issues.Warning(one.Origin, $"[{section.Path}] {row.Name}: the {sign} is a part of the password: there are no comments here");
            else if (row.IsSecret && ValueSyntax.IsInQuotes(one.Value) && row.Check(one.Value, Context(one.Origin.Layer)) is null)
                Issues.Warning(one.Origin, $"[{section.Path}] {row.Name}: the quotes are a part of the value: none are taken off here");
        }

        return values;
    }

    private void Fill<TTarget>(IConfigurationRoot configuration, SchemaSection<TTarget> section, TTarget target, string? path = null)
    {
        path ??= section.Name;
        foreach (var row in section.Rows)
        {
            // An empty value is the same as none: so a layer can take back what a lower one says.
            string? text = configuration[$"{path}:{row.Name}"]?.Trim();
            if (string.IsNullOrEmpty(text))
                continue;
            if (Origins.AnyFailed(path, row.Name))
                continue;
            var origin = Origins.Of(path, row.Name);
            var context = Context(origin.Layer) with { IsQuoted = _quoted.Contains(origin) };
            if (row.Apply(target, text, context) is { } problem)
                Refuse(path, row, text, origin, row.IsSecret ? problem : ValueAdvice.Improve(row, text, context, problem));
        }
    }

    private ValueContext Context(ConfigurationLayer layer)
    {
        _sources.Environment.TryGetValue("HOME", out var home);
        return new ValueContext(layer == ConfigurationLayer.File ? _fileDirectory : _sources.WorkingDirectory, home);
    }

    private void Refuse(string path, SchemaKey row, string text, ConfigurationOrigin origin, ValueProblem problem)
    {
        Origins.AddFailed(path, row.Name);
        string found = row.IsSecret ? row.Name : $"{row.Name} = \"{ConfText.Printable(text)}\"";
        string allowed = problem.ShowAllowed ? $"; allowed: {row.Allowed}" : "";
        string meant = problem.Suggestion is null || row.IsSecret ? "" : $"; did you mean \"{problem.Suggestion}\"?";
        Issues.Error(origin, $"[{path}] {found} {problem.What}{allowed}{meant}");
    }

    private void WarnOfSecretsInFile()
    {
        if (_path is null || _sources.FileText is not null)
            return;
        bool any = _sections.Of(_schema.Listener).Concat(_sections.Of(_schema.Worker)).Any(section =>
            section.Schema.Keys.Any(key => key.IsSecret && Origins.IsSet(section.Path, key.Name)
                && Origins.Of(section.Path, key.Name).Layer == ConfigurationLayer.File));
        if (any)
            WarnIfReadableByAll(Path.GetFullPath(_path, _sources.WorkingDirectory), "holds passwords");
    }
}
