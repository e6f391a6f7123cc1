using System.Text.Json;
using System.Text.RegularExpressions;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>
/// The states of workers as they follow from all that was told since the start, line by line: whoever has nothing but the log, or the
/// events, knows the same as who asks.
/// </summary>
internal static partial class ToldStates
{
    /// <summary>HEALTHY, or HEALTHY draining: as status shows it.</summary>
    public static string Show(string state, string administrative) =>
        administrative == "enabled" ? state : $"{state} {administrative}";

    /// <summary>From the lines that a daemon has printed.</summary>
    /// <param name="first">The workers that it was started with.</param>
    public static IReadOnlyDictionary<string, string> OfLog(IEnumerable<string> first, IEnumerable<string> lines)
    {
        var workers = new Workers(first);
        foreach (string line in lines)
        {
            if (Told().Match(line) is not { Success: true } match)
                continue;
            string id = match.Groups["id"].Value;
            switch (match.Groups["what"].Value)
            {
                case "drains on request":
                    workers.Say(id, "draining");
                    break;
                case "was enabled on request":
                    workers.Say(id, "enabled");
                    break;
                case "was added":
                    workers.Add(id);
                    break;
                case "leaves":
                    workers.Say(id, "leaving");
                    break;
                case "is gone":
                    workers.Remove(id);
                    break;
                default:
                    workers.Change(id, match.Groups["to"].Success ? match.Groups["to"].Value : "healthy");
                    break;
            }
        }

        return workers.States;
    }

    /// <summary>From events as the API sends them.</summary>
    /// <param name="first">The workers that it was started with.</param>
    public static IReadOnlyDictionary<string, string> OfEvents(IEnumerable<string> first, IEnumerable<JsonElement> events)
    {
        var workers = new Workers(first);
        foreach (var one in events)
        {
            string kind = one.GetProperty("event").GetString()!;
            if (!one.TryGetProperty("worker", out var member) || member.GetString() is not { } id)
                continue;
            switch (kind)
            {
                case "worker_drain":
                    workers.Say(id, "draining");
                    break;
                case "worker_enable":
                    workers.Say(id, "enabled");
                    break;
                case "worker_added":
                    workers.Add(id);
                    break;
                case "worker_leaves":
                    workers.Say(id, "leaving");
                    break;
                case "worker_gone":
                    workers.Remove(id);
                    break;
                case "worker_state":
                    workers.Change(id, one.GetProperty("to").GetString()!);
                    break;
                default:
                    break;
            }
        }

        return workers.States;
    }

    /// <summary>How often each worker that is still there passed from a state to another.</summary>
    public static IReadOnlyDictionary<string, int> TransitionsOfLog(IEnumerable<string> lines)
    {
        var counts = new Dictionary<string, int>();
        foreach (string line in lines)
        {
            if (Told().Match(line) is not { Success: true } match)
                continue;
            string id = match.Groups["id"].Value;
            if (match.Groups["what"].Value == "is gone")
                Forget(counts, id);
            else if (match.Groups["from"].Value + match.Groups["was"].Value is { Length: > 0 } from)
                Count(counts, id, from, match.Groups["to"].Success ? match.Groups["to"].Value : "healthy");
        }

        return counts;
    }

    /// <inheritdoc cref="TransitionsOfLog"/>
    public static IReadOnlyDictionary<string, int> TransitionsOfEvents(IEnumerable<JsonElement> events)
    {
        var counts = new Dictionary<string, int>();
        foreach (var one in events)
        {
            string kind = one.GetProperty("event").GetString()!;
            if (kind == "worker_gone")
                Forget(counts, one.GetProperty("worker").GetString()!);
            else if (kind == "worker_state")
            {
                Count(
                    counts, one.GetProperty("worker").GetString()!, one.GetProperty("from").GetString()!,
                    one.GetProperty("to").GetString()!);
            }
        }

        return counts;
    }

    private static void Count(Dictionary<string, int> counts, string id, string from, string to)
    {
        string key = $"{id}: {from} -> {to}";
        counts[key] = counts.GetValueOrDefault(key) + 1;
    }

    /// <summary>What was counted of it went with it.</summary>
    private static void Forget(Dictionary<string, int> counts, string id)
    {
        foreach (string key in counts.Keys.Where(key => key.StartsWith(id + ":", StringComparison.Ordinal)).ToList())
            counts.Remove(key);
    }

    [GeneratedRegex(
        @"Worker (?<id>[\w.-]+?):? (?<what>drains on request|was enabled on request|was added|leaves|is gone"
            + @"|is healthy again \(was (?<was>\w+)|(?<from>\w+) -> (?<to>\w+) \()")]
    private static partial Regex Told();

    private sealed class Workers(IEnumerable<string> first)
    {
        private readonly Dictionary<string, (string State, string Administrative)> _all =
            first.ToDictionary(static id => id, static _ => ("healthy", "enabled"));

        public IReadOnlyDictionary<string, string> States =>
            _all.ToDictionary(static one => one.Key, static one => Show(one.Value.State.ToUpperInvariant(), one.Value.Administrative));

        public void Add(string id) => _all[id] = (Of(id).State, "enabled");

        public void Say(string id, string administrative) => _all[id] = (Of(id).State, administrative);

        public void Change(string id, string state) => _all[id] = (state, Of(id).Administrative);

        public void Remove(string id) => _all.Remove(id);

        // Whoever is added is healthy until the opposite is known.
        private (string State, string Administrative) Of(string id) => _all.GetValueOrDefault(id, ("healthy", "enabled"));
    }
}
