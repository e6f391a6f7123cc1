using System.Globalization;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;
using TorBalancer.Benchmarks.SideBySide.Scenarios;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>
/// <c>--profile</c>: which system calls a connection, a GB and a round trip cost each forwarder (strace -c), and where the time goes
/// (perf).
/// </summary>
internal static class ProfileRun
{
    private const double Seconds = 3;
    private const int Symbols = 25;

    private static readonly Cell[] Loads =
    [
        new("connections", LoadKind.Connections, ClientProtocol.Socks5, 64),
        new("connections", LoadKind.Connections, ClientProtocol.Connect, 64),
        new("bulk", LoadKind.Down, ClientProtocol.Socks5, 8),
        new("bulk", LoadKind.Up, ClientProtocol.Socks5, 8),
        new("roundtrips", LoadKind.RoundTrips, ClientProtocol.Socks5, 64),
    ];

    public static void Run(Bench bench, Report report)
    {
        Cell[] requests = [.. Cells.OfRequests(bench.Options)];
        if (Loads.Any(cell => bench.Options.Only.Contains(cell.Scenario)))
        {
            bench.StartAll();
            Run(bench, report, [.. Loads.Where(cell => bench.Options.Only.Contains(cell.Scenario))]);
            bench.StopAll();
        }

        if (requests.Length > 0)
        {
            bench.StartAll(requests);
            Run(bench, report, requests);
        }
    }

    private static void Run(Bench bench, Report report, Cell[] cells)
    {
        string directory = Directory.CreateTempSubdirectory("torbalancer-profile-").FullName;
        try
        {
            foreach (var cell in cells)
            {
                var able = bench.Running
                    .Where(forwarder => cell.Client != ClientProtocol.Connect || forwarder.Spec.SpeaksConnect)
                    .ToList();
                report.Add(SystemCalls(bench, cell, able, directory));
                foreach (var forwarder in able.Where(static forwarder => forwarder.Spec.IsOurs))
                    report.Add(HotSpots(bench, cell, forwarder, directory));
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
            foreach (var forwarder in bench.Running)
                File.Delete($"/tmp/perf-{forwarder.Id}.map");
        }
    }

    private static string SystemCalls(Bench bench, Cell cell, List<RunningForwarder> forwarders, string directory)
    {
        var counts = forwarders.ToDictionary(
            static forwarder => forwarder.Spec.Name, forwarder => Trace(bench, cell, forwarder, directory));
        var table = new MarkdownTable(["System call", .. counts.Keys]);
        string[] calls =
        [
            .. counts.Values.SelectMany(static count => count.Keys)
                .Distinct()
                .OrderByDescending(call => counts.Values.Max(count => count.GetValueOrDefault(call))),
        ];
        table.Add(["all", .. counts.Values.Select(static count => MarkdownTable.Number(count.Values.Sum()))]);
        foreach (string call in calls.Where(call => counts.Values.Any(count => count.GetValueOrDefault(call) >= 0.01 * count.Values.Sum())))
        {
            var numbers = counts.Values.Select(count => count.TryGetValue(call, out double number) ? MarkdownTable.Number(number) : "–");
            table.Add([call, .. numbers]);
        }

        return $"### System calls for each {Unit(cell)}: {cell.Title}\n\n{table}";
    }

    private static string Unit(Cell cell) =>
        cell.Kind switch
        {
            LoadKind.Connections => "connection",
            LoadKind.Requests => "request",
            LoadKind.RoundTrips => "round trip",
            _ => "GB",
        };

    /// <summary>How often each call was made, in proportion to the work done while strace was attached.</summary>
    private static Dictionary<string, double> Trace(Bench bench, Cell cell, RunningForwarder forwarder, string directory)
    {
        string file = Path.Combine(directory, "strace");
        LoadResult? load;
        using (var strace = ChildProcess.Start($"strace -c -f -o {file} -p {forwarder.Id} 2>/dev/null", null))
        {
            Task.Delay(500).Wait();
            load = TryPut(bench, cell, forwarder);
            Task.Delay(200).Wait();
            strace.Signal(Native.SigInt);
            strace.WaitForExit(5000);
        }

        var counts = new Dictionary<string, double>();
        if (load is null)
            return counts;
        double work = cell.Kind is LoadKind.Down or LoadKind.Up ? load.TotalBytes / 1e9 : load.TotalOperations;
        foreach (string line in File.ReadLines(file))
        {
            // % time, seconds, usecs/call, calls, [errors], syscall
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 5
                && fields[^1] != "total"
                && double.TryParse(fields[0], CultureInfo.InvariantCulture, out _)
                && double.TryParse(fields[3], CultureInfo.InvariantCulture, out double calls))
                counts[fields[^1]] = calls / work;
        }

        return counts;
    }

    private static LoadResult? TryPut(Bench bench, Cell cell, RunningForwarder forwarder)
    {
        try
        {
            return bench.Put(forwarder, cell, Seconds);
        }
        catch (Exception failure) when (failure is IOException or TimeoutException)
        {
            Console.Error.WriteLine($"{forwarder.Spec.Name}, {cell.Title}: {failure.Message}");
            return null;
        }
    }

    private static string HotSpots(Bench bench, Cell cell, RunningForwarder forwarder, string directory)
    {
        string data = Path.Combine(directory, "perf.data"), title = $"### Where {forwarder.Spec.Name} spends it: {cell.Title}\n\n";
        using (var perf = ChildProcess.Start($"perf record -q -e cpu-clock -F 1999 -o {data} -p {forwarder.Id} 2>/dev/null", null))
        {
            Task.Delay(300).Wait();
            TryPut(bench, cell, forwarder);
            perf.Signal(Native.SigInt);
            perf.WaitForExit(10_000);
        }

        string[] modules = PerfLines(data, "dso", 1), symbols = PerfLines(data, "dso,symbol", 0.4);
        return title + (modules.Length == 0
            ? "perf is not there or may not be used.\n"
            : $"```\n{string.Join('\n', modules)}\n\n{string.Join('\n', symbols.Take(Symbols))}\n```\n");
    }

    private static string[] PerfLines(string data, string sort, double limit)
    {
        string? report = ChildProcess.OutputOf(
            FormattableString.Invariant($"perf report --stdio -q --no-children --percent-limit {limit} -s {sort} -i {data} 2>/dev/null"));
        return
        [
            .. (report ?? "")
                .Split('\n')
                .Where(static line => line.Contains('%', StringComparison.Ordinal))
                .Select(static line => line.Trim().TrimEnd('-', ' ')),
        ];
    }
}
