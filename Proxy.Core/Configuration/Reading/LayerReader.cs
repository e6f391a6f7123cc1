using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>
/// Reads the layers, the lowest first: each section and key that they name is looked up in the schema, and what they give a key
/// goes into <see cref="Given"/>, where the last one has it. What is wrong with names and with how a value is written is said
/// here; the values themselves are not looked at before all layers are there.
/// </summary>
internal sealed class LayerReader
{
    private readonly NameAdvice _names;
    private readonly OverrideAdvice _overrideAdvice;
    private readonly RefusedValues _refused;
    private readonly ValuePlaces _places;
    private readonly ConfigurationIssues _issues;
    private readonly ConfPlaces _inFiles = new();

    public LayerReader(ConfigurationSchema schema, GivenValues given, ValuePlaces places, ConfigurationIssues issues)
    {
        _names = new NameAdvice(schema);
        _overrideAdvice = new OverrideAdvice(schema);
        _refused = new RefusedValues(given, issues);
        _places = places;
        _issues = issues;
        Given = given;
        Sections = new SectionTable(schema, _names, issues, given);
    }

    public GivenValues Given { get; }

    public SectionTable Sections { get; }

    /// <summary>Reads the text of a file.</summary>
    /// <param name="path">As messages name it.</param>
    public void ReadFile(string path, string text)
    {
        _issues.BeginFile(path);
        foreach (var written in ConfFile.Parse(text, path, _issues, new LineAdvice(_names), _inFiles))
        {
            if (Sections.Section(written.Name, new ConfigurationOrigin(ConfigurationLayer.File, path, written.Line)) is not { } section)
                continue;
            foreach (var entry in written.Entries)
                Take(section, entry, new ConfigurationOrigin(ConfigurationLayer.File, path, entry.Line));
        }
    }

    /// <summary>Reads the variables of the environment that name keys.</summary>
    public void ReadEnvironment(IReadOnlyDictionary<string, string> environment) =>
        Take(ConfigurationOverrides.FromEnvironment(environment, _issues, _overrideAdvice));

    /// <summary>Reads the overrides of the command line.</summary>
    /// <returns>False when an argument has not the form of an override.</returns>
    public bool ReadArguments(IReadOnlyList<string> arguments)
    {
        Take(ConfigurationOverrides.FromArguments(arguments, _issues, _overrideAdvice, out bool malformed));
        return !malformed;
    }

    /// <summary>Reads what the operator has changed since the files were read.</summary>
    public void ReadChanges(IEnumerable<WorkerChange> changes)
    {
        foreach (var change in changes)
        {
            string path = SectionTable.PathOf(Sections.Schema.Worker, change.Id);
            if (change.IsRemoved)
            {
                Sections.Remove(path);
                continue;
            }

            var origin = new ConfigurationOrigin(change.IsDiscovered ? ConfigurationLayer.Discovery : ConfigurationLayer.Api);
            if (Sections.Section(path, origin) is not { } section)
                continue;
            foreach (var (name, value) in change.Keys)
            {
                if (Sections.Key(section, name, value, origin) is { } key)
                    Take(section.Path, new GivenValue(key, value, origin));
            }
        }
    }

    private void Take(SectionInstance section, ConfEntry entry, ConfigurationOrigin origin)
    {
        if (Sections.Key(section, entry.Key, entry.Value, origin) is not { } key)
            return;
        Given.Add(section.Path, new GivenValue(key, entry.Value, origin, entry.IsQuoted));
        if (ValueSyntax.Check(key, entry, _places.Of(ConfigurationLayer.File)) is { } problem)
            _refused.Add(section.Path, key, entry.Value, origin, problem);
    }

    private void Take(List<ConfigurationOverride> overrides)
    {
        foreach (var one in overrides)
        {
            if (Sections.Section(one.Section, one.Origin) is { } section
                && Sections.Key(section, one.Key, one.Value, one.Origin) is { } key)
                Take(section.Path, new GivenValue(key, one.Value, one.Origin));
        }
    }

    private void Take(string section, GivenValue value)
    {
        Given.Add(section, value);
        var (key, text, origin) = (value.Key, value.Text, value.Origin);
        if (ConfEncoding.Problem(text) is { } unreadable)
            _refused.Add(section, key, text, origin, new ValueProblem(unreadable, ShowAllowed: false));

        // Nothing can be quoted there, so it may be meant.
        else if (key.IsSecret && ForeignMarks.CommentSign(text, isSecret: true) is { At: > 0, Sign: var sign })
            _issues.Warning(origin, $"[{section}] {key.Name}: the {sign} is a part of the password: there are no comments here");
        else if (key.IsSecret && ForeignMarks.IsInQuotes(text) && key.Check(text, _places.Of(origin.Layer)) is null)
            _issues.Warning(origin, $"[{section}] {key.Name}: the quotes are a part of the value: none are taken off here");
    }
}
