using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Reload;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Reload;

/// <summary>
/// Adds, changes and removes workers while the daemon runs. What it does is a change of the configuration, judged by the same rules
/// and put into force the same way; it lasts until the configuration is read again, unless it is saved.
/// </summary>
internal sealed partial class WorkerCommands(ConfigurationReloader reloader, WorkerPool pool, ILogger<WorkerCommands> logger)
{
    private const string Weight = "Weight";

    /// <summary>Adds a worker.</summary>
    /// <param name="keys">Keys of a [Worker:…] section, as a file would have them.</param>
    /// <param name="save">True: it is written to <c>workers.d</c> as well.</param>
    public Task<WorkerOutcome> AddAsync(string id, IReadOnlyList<KeyValuePair<string, string>> keys, bool save) =>
        ChangeAsync(id, save, running =>
        {
            if (pool.Find(id) is { Administrative: not WorkerAdministrativeState.Leaving } there)
                return Refused(WorkerRefusal.Conflict, $"there is a worker '{there.Id}' already");
            var changes = Without(running, id);

            // Taken out and added again: nothing of what was given before is left.
            var change = new WorkerChange(id, keys);
            if (!save)
                return Changed(running.With([.. changes, new WorkerChange(id, null), change]));
            return Saved(running, change, changes, mayReplace: false);
        });

    /// <summary>Takes a worker out: it gets no new connections from now on, and is gone when the live ones have finished.</summary>
    /// <param name="save">True: the file that it was saved to goes too.</param>
    public Task<WorkerOutcome> RemoveAsync(string id, bool save) =>
        ChangeAsync(id, save, running =>
        {
            if (Known(running, id, "removed", out var refusal) is not { } section)
                return refusal;
            if (!running.HasManagedWorkers && !running.HasNetwork && CountOf(running) == 1)
            {
                return Refused(
                    WorkerRefusal.Conflict,
                    $"'{id}' is the only worker, and without one nothing can be carried; add another first, or drain it");
            }

            var changes = Without(running, id);
            if (!save)
                return Changed(running.With([.. changes, new WorkerChange(id, null)]));
            if (FileOf(running, section, out refusal) is not { } file)
                return refusal;
            return Changed(
                running.With(changes, [.. running.Current.Texts.Where(text => text.Path != file.Path)]),
                () => File.Delete(file.Path), file.Name + " (removed)");
        });

    /// <summary>Gives a worker another weight.</summary>
    /// <param name="weight">As a file would have it.</param>
    /// <param name="save">True: the file that it was saved to is written anew.</param>
    public Task<WorkerOutcome> SetWeightAsync(string id, string weight, bool save) =>
        ChangeAsync(id, save, running =>
        {
            if (Known(running, id, "changed", out var refusal) is not { } section)
                return refusal;
            KeyValuePair<string, string> given = new(Weight, weight);
            if (!save)
            {
                // Over whatever the operator has given it before.
                var before = running.Changes.Where(change => change.IsOf(id)).ToList();
                var last = before.FindLast(static change => !change.IsRemoved);
                var merged = new WorkerChange(id, [.. (last?.Keys ?? []).Where(static key => !IsWeight(key.Key)), given]);
                return Changed(running.With([.. Without(running, id), .. before.Where(static change => change.IsRemoved), merged]));
            }

            if (FileOf(running, section, out refusal) is not { } own)
                return refusal;
            var keys = running.GivenBy(own, running.Changes).ValuesOf(section)
                .Where(static value => value.IsSet && !IsWeight(value.Key.Name))
                .Select(static value => new KeyValuePair<string, string>(value.Key.Name, value.Text.Trim()));
            return Saved(running, new WorkerChange(NameOf(section), [.. keys, given]), Without(running, id), mayReplace: true);
        });

    private static bool IsWeight(string key) => key.Equals(Weight, StringComparison.OrdinalIgnoreCase);

    private static string NameOf(string section) => section[(section.IndexOf(':') + 1)..];

    private static List<WorkerChange> Without(RunningConfiguration running, string id) =>
        [.. running.Changes.Where(change => !change.IsOf(id))];

    private static int CountOf(RunningConfiguration running) => running.Current.Options.Workers.Count;

    private static Plan Refused(WorkerRefusal refusal, string detail) => new(null, null, "", WorkerOutcome.Refused(refusal, detail));

    private static Plan Changed(NextConfiguration next, Action? before = null, string file = "") => new(next, before, file, null);

    /// <summary>The section of a worker that is configured; null after saying why it is none.</summary>
    private string? Known(RunningConfiguration running, string id, string what, out Plan refusal)
    {
        refusal = default;
        var worker = pool.Find(id);
        string section = $"Worker:{id}";
        if (worker is null)
            refusal = Refused(WorkerRefusal.Unknown, $"there is no worker '{id}'");
        else if (worker.Administrative == WorkerAdministrativeState.Leaving)
            refusal = Refused(
                WorkerRefusal.Conflict, $"worker '{worker.Id}' leaves already, and is gone when its live connections have finished");
        else if (worker.Model.IsManaged)
            refusal = Refused(
                WorkerRefusal.Conflict,
                $"worker '{worker.Id}' is a tor process of the daemon's own and cannot be {what} while it runs; drain it, or set "
                    + "[ManagedWorkers] Count and restart");
        else if (!running.Current.Given.HasSection(section))
            refusal = Refused(
                WorkerRefusal.Conflict, $"worker '{worker.Id}' belongs to the test network and cannot be {what} while it runs; drain it");
        else
            return running.Current.Given.Sections.First(one => one.Equals(section, StringComparison.OrdinalIgnoreCase));
        return null;
    }

    /// <summary>The file that the worker was saved to; null after saying why there is none.</summary>
    private static ConfigurationText? FileOf(RunningConfiguration running, string section, out Plan refusal)
    {
        refusal = default;
        string folder = running.WorkersFolder ?? "";
        var file = running.Current.Texts.FirstOrDefault(
            text => Path.GetDirectoryName(text.Path) == folder
                && Path.GetFileNameWithoutExtension(text.Path).Equals(NameOf(section), StringComparison.OrdinalIgnoreCase));
        if (file is not null && SavedWorker.IsOurs(file))
            return file;
        var origin = running.Current.Given.SectionOrigin(section);
        refusal = Refused(
            WorkerRefusal.Conflict,
            $"[{section}] was not saved by the admin API: it stands in {origin}; change it there and reload, or leave out save");
        return null;
    }

    private static Plan Saved(RunningConfiguration running, WorkerChange change, List<WorkerChange> others, bool mayReplace)
    {
        if (running.HasManagedWorkers || running.HasNetwork)
        {
            return Refused(
                WorkerRefusal.Conflict,
                "it cannot be saved while the daemon runs workers of its own: with a configured one it would not start them again");
        }

        if (running.WorkersFolder is not { } folder)
        {
            return Refused(
                WorkerRefusal.Conflict, "it cannot be saved: the daemon runs without a configuration file, beside which it would be");
        }

        var texts = running.Current.Texts;
        string shown = Path.Combine(Path.GetDirectoryName(running.Current.FilePath!) ?? "", Path.GetFileName(folder));

        // Judged in its own words first: a name that cannot be one of a file's is none of a section's either.
        var judged = running.With([.. others, new WorkerChange(change.Id, null), change]);
        if (!judged.Result.IsValid)
            return Changed(judged);
        if (change.Id.StartsWith('.'))
            return Refused(WorkerRefusal.Conflict, "it cannot be saved: files whose names begin with '.' are not read");
        var file = SavedWorker.Of(folder, shown, change.Id, change.Keys);
        if (!mayReplace && File.Exists(file.Path))
            return Refused(WorkerRefusal.Conflict, $"it cannot be saved: there is a {file.Name} already");
        ConfigurationText[] next =
        [
            .. texts.Take(1),
            .. texts.Skip(1).Where(text => text.Path != file.Path).Append(file.AsRead)
                .OrderBy(static text => Path.GetFileName(text.Path), StringComparer.Ordinal),
        ];
        var saved = running.With(others, next);
        string section = $"Worker:{change.Id}";
        var asked = change.Keys.Where(key => !mayReplace || IsWeight(key.Key)).Select(key => saved.Result.Given.Find(section, key.Key));
        if (asked.FirstOrDefault(static value => value is { Origin.Layer: not ConfigurationLayer.File }) is { } other)
        {
            return Refused(
                WorkerRefusal.Conflict, $"it cannot be saved: {other.Key.Name} of [{section}] is given by {other.Origin}, over all files");
        }

        var written = running.GivenBy(file.AsRead, others);
        bool isSame = change.Keys.All(key => written.Find(section, key.Key)?.Text.Trim() == key.Value.Trim());
        return isSame || !saved.Result.IsValid
            ? Changed(saved, file.Write, file.Name)
            : Refused(WorkerRefusal.Conflict, "it cannot be saved: a value holds quotes or line ends that no file keeps");
    }

    private async Task<WorkerOutcome> ChangeAsync(string id, bool save, Func<RunningConfiguration, Plan> plan)
    {
        WorkerOutcome? refused = null;
        string file = "";
        WorkerState? worker = pool.Find(id);
        try
        {
            var outcome = await reloader.ChangeAsync(running =>
            {
                var made = running.HoldsWorkers
                    ? Refused(WorkerRefusal.Conflict, "the files configure other workers than those that run: restart the daemon first")
                    : plan(running);
                (refused, file) = (made.Refusal, made.File);
                return made.Next is { } next ? (next, made.Before) : null;
            });
            if (outcome is null)
                return refused!;
            if (outcome.IsStopping)
                return WorkerOutcome.Refused(WorkerRefusal.Stopping, "the daemon is stopping");
            if (!outcome.IsDone)
            {
                string detail = outcome.Errors.Count == 1 ? outcome.Errors[0].Message : $"{outcome.Errors.Count} errors";
                return WorkerOutcome.Refused(WorkerRefusal.Invalid, detail) with { Errors = outcome.Errors };
            }
        }
        catch (Exception failure) when (save && failure is IOException or UnauthorizedAccessException)
        {
            return WorkerOutcome.Refused(WorkerRefusal.Conflict, $"nothing was changed: {file} cannot be written: {failure.Message}");
        }

        if (save)
            Log.Saved(logger, id, file);
        return new WorkerOutcome(pool.Find(id) ?? worker);
    }

    /// <summary>What is to be done about a command, or why nothing is.</summary>
    private readonly record struct Plan(NextConfiguration? Next, Action? Before, string File, WorkerOutcome? Refusal);

    private static partial class Log
    {
        [LoggerMessage(ReloadEventIds.WorkerSaved, LogLevel.Information, "Worker {Worker}: the change outlasts the next reload, in {File}")]
        public static partial void Saved(ILogger logger, string worker, string file);
    }
}
