using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using TorBalancer.Tests.Admin.Metrics;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>
/// What all who tell of a daemon's workers said between two scrapes of its metrics: /metrics, the API, <c>status</c> and
/// <c>status --json</c> as processes, the page, the log, and the events by <c>events --json</c>.
/// </summary>
internal sealed partial record WhatIsTold
{
    private const string ReadPage = """
        () => ({
          verdict: document.querySelector('#verdict').textContent,
          workers: [...document.querySelectorAll('#workers-rows > [data-key]')].map(row => ({
            id: row.dataset.key, word: row.querySelector('.state').textContent.trim(),
            active: row.querySelector('[data-f=active]').textContent, why: row.querySelector('[data-f=why]').textContent })),
          events: [...document.querySelectorAll('#events-rows [data-f=text]')].map(one => one.textContent),
        })
        """;

    /// <summary>Counts that only grow, and the metric of each.</summary>
    private static readonly (string Field, string Metric)[] Counters =
    [
        ("total_connections", "torbalancer_worker_connections_total"), ("total_failures", "torbalancer_worker_failures_total"),
        ("bytes_sent", "torbalancer_worker_sent_bytes_total"), ("bytes_received", "torbalancer_worker_received_bytes_total"),
    ];

    public required Dictionary<string, double> Before { get; init; }

    public required Dictionary<string, double> After { get; init; }

    public required JsonElement Health { get; init; }

    public required JsonElement Workers { get; init; }

    public required CommandRun Status { get; init; }

    public required JsonElement StatusJson { get; init; }

    public required JsonElement Page { get; init; }

    /// <summary>The daemon's events, the oldest first.</summary>
    public required IReadOnlyList<JsonElement> Events { get; init; }

    /// <summary>The workers that the daemon was started with.</summary>
    public required IReadOnlyList<string> First { get; init; }

    /// <summary>The lines that the daemon has printed.</summary>
    public required IReadOnlyList<string> Log { get; init; }

    public static async Task<WhatIsTold> AskAsync(
        DaemonUnderTest daemon, string admin, IPage page, IReadOnlyList<string> first, CancellationToken token)
    {
        var before = await ScrapeAsync(admin, token);
        var status = CommandAsync(admin, token, "status");
        var statusJson = CommandAsync(admin, token, "status", "--json");
        var events = CommandAsync(admin, token, "events", "--json", "--recent", "1000");
        var workers = await GetAsync(admin, "/api/v1/workers", token);
        var health = await GetAsync(admin, "/api/v1/health", token);
        var shown = await page.EvaluateAsync<JsonElement>(ReadPage);
        await Task.WhenAll(status, statusJson, events);
        return new WhatIsTold
        {
            Before = before,
            Health = health,
            Workers = workers.GetProperty("workers"),
            Status = await status,
            StatusJson = Json((await statusJson).Output),
            Page = shown,
            Events = [.. (await events).Lines.Select(Json)],
            First = first,
            Log = daemon.Lines,
            After = await ScrapeAsync(admin, token),
        };
    }

    /// <summary>The command line as a process of its own; one that fails fails the test.</summary>
    public static async Task<CommandRun> CommandAsync(string admin, CancellationToken token, params string[] arguments)
    {
        var run = await ProgramRun.RunAsync(ProgramRun.Daemon, [.. arguments, "--admin", admin], token);
        Assert.That(run.ExitCode, Is.Zero, $"{string.Join(' ', arguments)}: {run.Error}");
        return new CommandRun(run.ExitCode, run.Output, run.Error);
    }

    public static async Task<Dictionary<string, double>> ScrapeAsync(string admin, CancellationToken token) =>
        MetricsRouteTests.Values(await PageSetUp.Client.GetStringAsync($"http://{admin}/metrics", token));

    public static async Task<JsonElement> GetAsync(string admin, string path, CancellationToken token) =>
        Json(await PageSetUp.Client.GetStringAsync($"http://{admin}{path}", token));

    /// <summary>
    /// Counts that only grow: who was asked in between says what lies in between. Workers that came or went meanwhile are left out.
    /// </summary>
    public void AssertCounts()
    {
        foreach (var worker in Workers.EnumerateArray().Concat(StatusJson.GetProperty("workers").EnumerateArray()))
        {
            foreach (var (field, metric) in Counters)
            {
                string sample = Sample(metric, worker.GetProperty("id").GetString()!);
                if (Before.TryGetValue(sample, out double least) && After.TryGetValue(sample, out double most))
                    Assert.That(worker.GetProperty(field).GetDouble(), Is.InRange(least, most), $"{field} against {sample}");
            }
        }

        foreach (string[] row in Rows.Values)
        {
            string sample = Sample("torbalancer_worker_connections_total", row[0]);
            if (Before.TryGetValue(sample, out double least) && After.TryGetValue(sample, out double most))
                Assert.That(double.Parse(row[3], CultureInfo.InvariantCulture), Is.InRange(least, most), $"status against {sample}");
        }
    }

    /// <summary>
    /// Who says of a worker something else than the API; empty: nobody. States change at their own time between two questions, and then the
    /// difference is gone when all are asked again.
    /// </summary>
    public string Difference()
    {
        var api = States(Workers);
        string said = Join(api);
        (string Who, string What)[] all =
        [
            ("/api/v1/health", Join(HealthStates())), ("/metrics before", Join(StatesOf(Before))), ("/metrics", Join(StatesOf(After))),
            ("status --json", Join(States(StatusJson.GetProperty("workers")))),
            ("status", Join(Rows.Values.ToDictionary(static row => row[0], static row => row[1]))),
            ("log", Join(ToldStates.OfLog(First, Log))), ("events", Join(ToldStates.OfEvents(First, Events))),
        ];
        var wrong = all.Where(one => one.What != said).Select(one => $"{one.Who}: {one.What}\n").ToList();
        string words = string.Join("; ", api.Select(static one => $"{one.Key} {PageWord(one.Value)}"));
        string shown = string.Join("; ", PageWorkers().Select(static one => $"{Text(one, "id")} {Text(one, "word")}"));
        if (words != shown)
            wrong.Add($"page: {shown}\n");
        return wrong.Count == 0 ? string.Concat(Reasons(), Counts(), Transitions(), EventTexts()) : $"API: {said}\n{string.Concat(wrong)}";
    }

    /// <summary>When nothing moves any more: connections of now, in every view, and the totals of <c>status</c> are the same.</summary>
    public string QuietDifference()
    {
        var wrong = new List<string>();
        foreach (var worker in Workers.EnumerateArray())
        {
            string id = Text(worker, "id");
            string active = worker.GetProperty("health").GetProperty("connections").GetRawText();
            string[] row = Rows[id];
            string page = Text(PageWorkers().Single(one => Text(one, "id") == id), "active");
            string metric = Number(After[Sample("torbalancer_worker_active_connections", id)]);
            if (row[2] != active || page != active || metric != active)
                wrong.Add($"{id}: API {active}, status {row[2]}, page {page}, metrics {metric} connections\n");
            foreach (var (field, sample) in Counters)
            {
                if (worker.GetProperty(field).GetRawText() != Number(After[Sample(sample, id)]))
                    wrong.Add($"{id}: {field} {worker.GetProperty(field)}, {sample} {After[Sample(sample, id)]}\n");
            }

            if (row[3] != worker.GetProperty("total_connections").GetRawText())
                wrong.Add($"{id}: status has {row[3]} connections in all\n");
        }

        return string.Concat(wrong);
    }

    private Dictionary<string, string[]> Rows => field ??= Status.Lines
        .SkipWhile(static line => !line.StartsWith("WORKER ", StringComparison.Ordinal)).Skip(1)
        .TakeWhile(static line => TableRow().IsMatch(line)).Select(static line => Regex.Split(line.Trim(), " {2,}"))
        .ToDictionary(static row => row[0]);

    private IEnumerable<JsonElement> PageWorkers() => Page.GetProperty("workers").EnumerateArray();

    /// <summary>Why a worker is not as it should be: the API's words, in status and on the page.</summary>
    private string Reasons()
    {
        var wrong = new List<string>();
        foreach (var worker in Workers.EnumerateArray())
        {
            if (!worker.GetProperty("health").TryGetProperty("reason", out var reason))
                continue;
            string id = Text(worker, "id"), why = reason.GetString()!;
            string page = Text(PageWorkers().Single(one => Text(one, "id") == id), "why");
            if (!Status.Output.Contains($"{id}: {why}", StringComparison.Ordinal))
                wrong.Add($"status does not say of {id}: {why}\n{Status.Output}");
            if (!page.Contains(why, StringComparison.Ordinal))
                wrong.Add($"the page says of {id}: {page}; the API: {why}\n");
        }

        return string.Concat(wrong);
    }

    /// <summary>How many may carry connections.</summary>
    private string Counts()
    {
        long available = Health.GetProperty("available_workers").GetInt64(), all = Health.GetProperty("total_workers").GetInt64();
        string verdict = available == 0 ? "No worker can carry connections: clients get errors."
            : available == all ? $"All {all} workers carry connections."
            : $"{available} of {all} workers carr{(available == 1 ? "ies" : "y")} connections.";
        double eligible = After.Where(static one => one.Key.StartsWith("torbalancer_worker_eligible{", StringComparison.Ordinal))
            .Sum(static one => one.Value);
        string summary = $"{available} of {all} workers may carry connections";
        return Text(Page, "verdict") == verdict && eligible == available && Status.Lines[0].EndsWith(summary, StringComparison.Ordinal)
            && Text(Health, "summary").EndsWith(summary, StringComparison.Ordinal)
            && StatusJson.GetProperty("available_workers").GetInt64() == available
            && StatusJson.GetProperty("total_workers").GetInt64() == all ? ""
            : $"API: {available} of {all}; page: {Text(Page, "verdict")}; metrics: {eligible}; {Status.Lines[0]}\n";
    }

    /// <summary>One line of the log and one event for each change of a state that is counted, of workers that are there.</summary>
    private string Transitions()
    {
        var logged = ToldStates.TransitionsOfLog(Log);
        var told = ToldStates.TransitionsOfEvents(Events);
        var counted = After.Where(static one => one.Value > 0).Select(static one => (Match: Transition().Match(one.Key), one.Value))
            .Where(static one => one.Match.Success)
            .ToDictionary(
                static one => $"{one.Match.Groups[1].Value}: {one.Match.Groups[2].Value} -> {one.Match.Groups[3].Value}",
                static one => (int)one.Value);
        string Shown(IEnumerable<KeyValuePair<string, int>> all) =>
            string.Join("; ", all.OrderBy(static one => one.Key, StringComparer.Ordinal).Select(static one => $"{one.Key} {one.Value}"));
        return Shown(logged) == Shown(counted) && Shown(told) == Shown(counted) ? ""
            : $"transitions: metrics {Shown(counted)}\nlog {Shown(logged)}\nevents {Shown(told)}\n";
    }

    /// <summary>The page lists the events, the latest first, in the log's words.</summary>
    private string EventTexts()
    {
        string[] events = [.. Events.Select(static one => Text(one, "message"))];
        string[] page = [.. Page.GetProperty("events").EnumerateArray().Select(static one => one.GetString()!).Reverse()];
        if (!page.SequenceEqual(events.TakeLast(page.Length)) || page.Length != Math.Min(events.Length, 200))
            return $"page's events:\n{string.Join('\n', page)}\nevents:\n{string.Join('\n', events)}\n";
        string? missing = events.FirstOrDefault(text => !Log.Any(line => line.Contains(text, StringComparison.Ordinal)));
        return missing is null ? "" : $"not in the log: {missing}\n";
    }

    private static Dictionary<string, string> States(JsonElement workers) => workers.EnumerateArray()
        .ToDictionary(static one => Text(one, "id"), static one => StateOf(one.GetProperty("health")));

    private Dictionary<string, string> HealthStates() => Health.GetProperty("workers").EnumerateObject()
        .ToDictionary(static one => one.Name, static one => StateOf(one.Value));

    /// <summary>HEALTHY, or HEALTHY draining: as status shows it.</summary>
    public static string StateOf(JsonElement health) =>
        ToldStates.Show(Text(health, "state"), Text(health, "administrative"));

    private static Dictionary<string, string> StatesOf(Dictionary<string, double> values)
    {
        var states = new Dictionary<string, string>();
        foreach (var (sample, value) in values)
        {
            if (State().Match(sample) is not { Success: true } match || value != 1)
                continue;
            string id = match.Groups[1].Value;
            bool drains = values[Sample("torbalancer_worker_draining", id)] == 1;
            bool leaves = values[Sample("torbalancer_worker_leaving", id)] == 1;
            bool isUp = match.Groups[2].Value is "healthy" or "suspect";
            string shown = ToldStates.Show(match.Groups[2].Value.ToUpperInvariant(), drains ? "draining" : leaves ? "leaving" : "enabled");
            bool agrees = (values[Sample("torbalancer_worker_eligible", id)] == 1) == (isUp && !drains && !leaves);
            states.Add(id, agrees ? shown : shown + " but eligible or not");
        }

        return states;
    }

    /// <summary>How the page says it.</summary>
    public static string PageWord(string state) => state switch
    {
        _ when state.EndsWith(" draining", StringComparison.Ordinal) => "Draining",
        _ when state.EndsWith(" leaving", StringComparison.Ordinal) => "Leaving",
        _ => state[0] + state[1..].ToLowerInvariant(),
    };

    private static string Join(IEnumerable<KeyValuePair<string, string>> states) =>
        string.Join("; ", states.OrderBy(static one => one.Key, StringComparer.Ordinal).Select(static one => $"{one.Key} {one.Value}"));

    private static string Sample(string metric, string worker) => $"{metric}{{worker=\"{worker}\"}}";

    private static string Number(double value) => value.ToString("0", CultureInfo.InvariantCulture);

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static JsonElement Json(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    [GeneratedRegex(@"^worker-\S+ +[A-Z]{4}")]
    private static partial Regex TableRow();

    [GeneratedRegex("""^torbalancer_worker_state\{worker="([^"]+)",state="([^"]+)"\}$""")]
    private static partial Regex State();

    [GeneratedRegex("""^torbalancer_worker_transitions_total\{worker="([^"]+)",from="([^"]+)",to="([^"]+)"\}$""")]
    private static partial Regex Transition();
}
