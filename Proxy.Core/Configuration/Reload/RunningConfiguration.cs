using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Configuration.Reload;

/// <summary>A configuration that may take the place of the one that runs.</summary>
/// <param name="Result">As it is in force then: what needs a restart has the values of the one that runs.</param>
/// <param name="Changes">What a reload puts into force.</param>
/// <param name="RestartNeeded">What it leaves as it is.</param>
/// <param name="WorkerChanges">What the operator has changed, as far as it goes on.</param>
internal sealed record NextConfiguration(
    ConfigurationResult Result, IReadOnlyList<ConfigurationChange> Changes, IReadOnlyList<ConfigurationChange> RestartNeeded,
    IReadOnlyList<WorkerChange> WorkerChanges)
{
    /// <summary>The files configure other workers than those that run, which stay until a restart.</summary>
    public bool HoldsWorkers { get; init; }

    /// <summary>What DNS says of workers.</summary>
    public IReadOnlyList<WorkerChange> Discovered { get; init; } = [];
}

/// <summary>
/// The configuration that the daemon runs by: reads the next one and says what would become of it. Nothing here puts anything into
/// force but <see cref="Take"/>, which only takes note.
/// </summary>
/// <param name="sources">What it is read from again: the same file, environment and arguments as at the start.</param>
/// <param name="current">As it was read at the start.</param>
/// <param name="finish">What the daemon does to options before they are used (a test network adds its workers); null: nothing.</param>
internal sealed class RunningConfiguration(
    ConfigurationSources sources, ConfigurationResult current, Action<TorBalancerOptions>? finish = null)
{
    private readonly ConfigurationSchema _schema = current.Schema;
    private ConfigurationResult _current = current;
    private IReadOnlyList<WorkerChange> _changes = [];
    private IReadOnlyList<WorkerChange> _discovered = [];
    private volatile bool _holdsWorkers;

    /// <summary>As it is in force.</summary>
    public ConfigurationResult Current => Volatile.Read(ref _current);

    /// <summary>What the operator has changed of the workers since the files were read.</summary>
    public IReadOnlyList<WorkerChange> Changes => Volatile.Read(ref _changes);

    /// <summary>The workers that DNS names: they lie under the operator's changes, and outlast a reload.</summary>
    public IReadOnlyList<WorkerChange> Discovered => Volatile.Read(ref _discovered);

    /// <summary>
    /// The files that were read last configure other workers than those that run: what is made of them anew is no change of those.
    /// </summary>
    public bool HoldsWorkers => _holdsWorkers;

    /// <summary>The daemon runs workers of its own, because none was configured when it started.</summary>
    public bool HasManagedWorkers { get; } = current.Options.UsesManagedWorkers;

    /// <summary>The network that is run for a trial has workers of its own.</summary>
    public bool HasNetwork => finish is not null;

    /// <summary>The directory in which workers are saved; null: there is no file that it would be beside.</summary>
    public string? WorkersFolder => Current.FilePath is { Length: > 0 } path
        ? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path, sources.WorkingDirectory)) ?? "/", ConfigurationFileSet.WorkersFolder)
        : null;

    /// <summary>Reads everything anew. What the operator has changed is gone, unless it was saved.</summary>
    public NextConfiguration Read() => Judge(ConfigurationLoader.Load(sources with { Changes = Discovered }), [], Discovered);

    /// <summary>
    /// The configuration as it was read, with these workers beside those that are configured, and the operator's changes.
    /// </summary>
    public NextConfiguration WithDiscovered(IReadOnlyList<WorkerChange> discovered) => Judge(
        ConfigurationLoader.Load(sources with { Texts = Current.Texts, Changes = [.. discovered, .. Changes] }), Changes, discovered);

    /// <summary>The configuration as it was read, with these changes of the operator's over it.</summary>
    /// <param name="texts">The files as they will be; null: as they were read.</param>
    public NextConfiguration With(IReadOnlyList<WorkerChange> changes, IReadOnlyList<ConfigurationText>? texts = null) =>
        Judge(
            ConfigurationLoader.Load(sources with { Texts = texts ?? Current.Texts, Changes = [.. Discovered, .. changes] }), changes,
            Discovered);

    /// <summary>
    /// What one file gives, with these changes of the operator's over it: nothing of the environment's and the command line's, which
    /// may be secrets that no file is to have.
    /// </summary>
    public GivenValues GivenBy(ConfigurationText file, IReadOnlyList<WorkerChange> changes) => ConfigurationLoader.Load(
        sources with
        {
            Texts = [file],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
            Arguments = [],
            Changes = changes,
        }).Given;

    /// <summary>From now on that one is in force.</summary>
    public void Take(NextConfiguration next)
    {
        Volatile.Write(ref _changes, next.WorkerChanges);
        Volatile.Write(ref _discovered, next.Discovered);
        Volatile.Write(ref _current, next.Result);
        _holdsWorkers = next.HoldsWorkers;
    }

    private NextConfiguration Judge(
        ConfigurationResult next, IReadOnlyList<WorkerChange> changes, IReadOnlyList<WorkerChange> discovered)
    {
        if (!next.IsValid)
            return new NextConfiguration(next, [], [], changes);
        Finish(next.Options, changes);
        var differences = ConfigurationDiff.Of(_schema, Current, next);
        bool switches = SwitchesWorkers(next.Given, changes);
        var restart = new List<ConfigurationChange>();
        var live = new List<ConfigurationChange>();
        foreach (var change in differences)
        {
            bool isWorker = change.Section.StartsWith(_schema.Worker.Name + ":", StringComparison.OrdinalIgnoreCase);
            if (change.NeedsRestart || (switches && isWorker))
                restart.Add(change with { NeedsRestart = true });
            else
                live.Add(change);
        }

        foreach (var change in restart)
            Hold(change, next.Given);
        if (switches)
            HoldWorkers(next.Options);
        return new NextConfiguration(next, live, restart, changes) { HoldsWorkers = switches, Discovered = discovered };
    }

    /// <summary>A key that needs a restart goes on having what it has.</summary>
    private void Hold(ConfigurationChange change, GivenValues given)
    {
        bool was = Current.Given.HasSection(change.Section);
        if (!was && change.Old is null)
            given.RemoveSection(change.Section);
        else
            given.Replace(change.Section, change.Key, Current.Given.Find(change.Section, change.Key));
    }

    /// <summary>
    /// From workers of the daemon's own to configured ones, or back: tor processes are started and ended with the daemon. Workers that
    /// the operator adds beside managed ones are no such thing.
    /// </summary>
    private bool SwitchesWorkers(GivenValues next, IReadOnlyList<WorkerChange> changes)
    {
        if (HasNetwork || Current.Options.Discovery.IsOn)
            return false;
        var configured = next.SectionsOf(_schema.Worker.Name).Select(path => path[(_schema.Worker.Name.Length + 1)..]);
        return HasManagedWorkers
            ? configured.Except(changes.Select(static change => change.Id), StringComparer.OrdinalIgnoreCase).Any()
            : !configured.Any();
    }

    private void HoldWorkers(TorBalancerOptions options)
    {
        options.Workers.Clear();
        foreach (var worker in Current.Options.Workers)
            options.Workers.Add(worker);
    }

    /// <summary>A test network's workers take the place of all that a file names; those that the operator adds come behind them.</summary>
    private void Finish(TorBalancerOptions options, IReadOnlyList<WorkerChange> changes)
    {
        if (finish is null)
            return;
        var added = options.Workers.Where(worker => changes.Any(change => change.IsOf(worker.Name) && !change.IsRemoved)).ToList();
        finish(options);
        foreach (var worker in added)
            options.Workers.Add(worker);
    }
}
