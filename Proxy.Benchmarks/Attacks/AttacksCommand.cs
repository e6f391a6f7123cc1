using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using TorBalancer.Benchmarks.SideBySide;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary><c>attacks …</c>, which eng/attacks.sh calls: every attack, each on a daemon of its own, and one table of all.</summary>
internal static class AttacksCommand
{
    private const string Begin = "<!-- attacks -->", End = "<!-- end of attacks -->";

    public static int Run(string[] args)
    {
        AttackOptions options;
        try
        {
            options = AttackOptions.Parse(args);
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException)
        {
            Console.Error.WriteLine(failure.Message);
            return 2;
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, static _ => KillAndExit());
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static _ => KillAndExit());
        string directory = Directory.CreateTempSubdirectory("torbalancer-attacks-").FullName;
        try
        {
            string page = options.Update is null ? "" : File.ReadAllText(options.Update);
            string report = Run(options, directory, page);
            Console.WriteLine(report);
            if (options.Update is not null)
                File.WriteAllText(options.Update, Insert(File.ReadAllText(options.Update), report));
            return 0;
        }
        catch (Exception failure) when (failure is InvalidOperationException or IOException or FormatException)
        {
            Console.Error.WriteLine(failure.Message);
            return 1;
        }
        finally
        {
            ChildProcess.KillAll();
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <param name="page">Rows of attacks that are not made now are taken from there.</param>
    private static string Run(AttackOptions options, string directory, string page)
    {
        string machine = Machine.Line();
        string executable = options.Daemon ?? TorBalancers.Released(options.Root) ?? TorBalancers.FrameworkDependent(options.Root)
            ?? throw new InvalidOperationException("the daemon has not been built");
        string self = Environment.ProcessPath!;
        using var quiet = ChildProcess.Start($"{AttackMachine.Preferred}{self} stub --ports 1", null);
        using var busy = ChildProcess.Start($"{AttackMachine.Attacking}{self} stub --ports 1", null);
        var workers = (PortOf(quiet), PortOf(busy));
        var left = new List<string>();
        var runs = new List<AttackRun>();
        try
        {
            foreach (var asked in options.Attacks)
            {
                var attack = asked.Descriptors > 0 ? asked : asked with { Size = Math.Min(asked.Size, AttackMachine.Room) };
                if (attack.IsHalfOpen && !AttackMachine.HasNowhere)
                {
                    left.Add($"{attack.Name}: it takes raw sockets and a network namespace of its own, which are not to be had here");
                    continue;
                }

                Console.Error.WriteLine($"{attack.Name} …");
                string home = Directory.CreateDirectory(Path.Combine(directory, attack.Name)).FullName;
                var run = new AttackRun(attack, AttackedDaemon.Start(executable, home, attack, workers));
                runs.Add(run);
                run.Run(options.Seconds);
            }

            // They rest side by side.
            foreach (var run in runs)
                run.Finish(options.Rest, options.Seconds / 2);
            return Render(options, machine, executable, runs, left, page);
        }
        finally
        {
            runs.ForEach(static run => run.Dispose());
        }
    }

    private static string Render(
        AttackOptions options, string machine, string executable, IReadOnlyList<AttackRun> runs, IReadOnlyList<string> left, string page)
    {
        var table = new MarkdownTable(
            "What attackers do", "of it", "p50 ms", "p99 ms", "p99 ×", "failed", "descriptors", "threads", "RSS MiB");
        foreach (var attack in Attack.All)
        {
            string[]? row = runs.FirstOrDefault(run => run.Attack.Name == attack.Name)?.Row()
                ?? RowsOf(page).FirstOrDefault(row => attack.IsRow(row[0]));
            if (row is not null)
                table.Add(row);
        }

        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"`eng/attacks.sh {options.CommandLine}`: {machine}; {ChildProcess.OutputOf($"{executable} --version")?.Split('\n')[0]}, "
                + $"{ProcessorsOf(AttackMachine.DaemonProcessors)}; {options.Seconds:0.#} s each.\n\n{table}");
        foreach (string one in left)
            text.Append(CultureInfo.InvariantCulture, $"\nLeft out: {one}.\n");
        return text.ToString();

        static string ProcessorsOf(string list) => list == "0" ? "on one core" : $"on the cores {list}";
    }

    /// <summary>The cells of the table that a page has.</summary>
    private static IEnumerable<string[]> RowsOf(string page)
    {
        int from = page.IndexOf(Begin, StringComparison.Ordinal), to = page.IndexOf(End, StringComparison.Ordinal);
        return from < 0 || to < from ? [] : page[from..to].Split('\n')
            .Where(static line => line.StartsWith("| ", StringComparison.Ordinal))
            .Select(static line => line.Trim('|', ' ').Split('|', StringSplitOptions.TrimEntries));
    }

    private static string Insert(string page, string report)
    {
        int from = page.IndexOf(Begin, StringComparison.Ordinal), to = page.IndexOf(End, StringComparison.Ordinal);
        return from < 0 || to < from
            ? throw new FormatException($"there is no place for the table: {Begin} and {End}")
            : $"{page[..from]}{Begin}\n\n{report}\n{page[to..]}";
    }

    private static int PortOf(ChildProcess stub) =>
        int.Parse(
            (stub.Output.ReadLine() ?? throw new InvalidOperationException("the stub worker did not start")).Split(' ')[0],
            CultureInfo.InvariantCulture);

    private static void KillAndExit()
    {
        ChildProcess.KillAll();
        Environment.Exit(130);
    }
}
