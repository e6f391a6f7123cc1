using System.Globalization;
using TorBalancer.Benchmarks.SideBySide.Scenarios;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>What the side-by-side run was asked for.</summary>
internal sealed record RunOptions
{
    public static readonly string[] AllScenarios =
        ["connections", "cold", "bulk", "roundtrips", "fairness", "requests", "idle", "start", "tor", "identities"];

    /// <summary>What is only run when it is asked for: it changes the network that it runs in, which bench.sh makes for it alone.</summary>
    public static readonly string[] AskedForScenarios = [TransparentScenario.Name];

    private static readonly string[] Known = [.. AllScenarios, .. AskedForScenarios];

    private static readonly string[] QuickScenarios = ["connections", "bulk", "roundtrips", "fairness", "requests", "idle"];

    public bool Quick { get; private init; }

    public bool Engines { get; private init; }

    public bool Profile { get; private init; }

    public bool SendFile { get; private init; }

    public bool Coalesce { get; private init; }

    public string[] Only => AskedScenarios ?? (Quick ? QuickScenarios : AllScenarios);

    public string[]? AskedScenarios { get; private init; }

    public string[]? Forwarders { get; private init; }

    public int[]? Concurrency { get; private init; }

    public int? AskedRounds { get; private init; }

    public double? AskedWindow { get; private init; }

    /// <summary>An executable of another state, which torbalancer-before runs.</summary>
    public string? Before { get; private init; }

    public string? Out { get; private init; }

    public string? Csv { get; private init; }

    /// <summary>The repository.</summary>
    public string Root { get; private init; } = Directory.GetCurrentDirectory();

    public int Core { get; private init; }

    /// <summary>As bench.sh was called, for the report.</summary>
    public string CommandLine { get; private init; } = "";

    public int Rounds => AskedRounds ?? (Quick ? 2 : 5);

    public double Window => AskedWindow ?? (Quick ? 0.6 : 2);

    public double Warmup => Quick ? 0.2 : 0.5;

    public static RunOptions Parse(string[] args)
    {
        var options = new RunOptions
        {
            CommandLine = string.Join(' ', args.Where((arg, at) => arg != "--root" && (at == 0 || args[at - 1] != "--root"))),
        };
        for (int i = 0; i < args.Length; i++)
        {
            options = args[i] switch
            {
                "--quick" => options with { Quick = true },
                "--engines" => options with { Engines = true },
                "--profile" => options with { Profile = true },
                "--sendfile" => options with { SendFile = true },
                "--coalesce" => options with { Coalesce = true },
                "--only" => options with { AskedScenarios = Scenarios(List()) },
                "--forwarders" => options with { Forwarders = List() },
                "--concurrency" => options with { Concurrency = [.. List().Select(Integer)] },
                "--rounds" => options with { AskedRounds = Integer(Value()) },
                "--window" => options with { AskedWindow = double.Parse(Value(), CultureInfo.InvariantCulture) },
                "--core" => options with { Core = Integer(Value()) },
                "--before" => options with { Before = Path.GetFullPath(Value()) },
                "--out" => options with { Out = Path.GetFullPath(Value()) },
                "--csv" => options with { Csv = Path.GetFullPath(Value()) },
                "--root" => options with { Root = Path.GetFullPath(Value()) },
                var other => throw new ArgumentException($"{other} is not known; see docs/performance.md"),
            };

            string Value() => ++i < args.Length ? args[i] : throw new ArgumentException($"{args[i - 1]} wants a value");
            string[] List() => Value().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }

        return options;
    }

    private static int Integer(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static string[] Scenarios(string[] names) =>
        names.FirstOrDefault(static name => !Known.Contains(name)) is { } unknown
            ? throw new ArgumentException($"{unknown} is no scenario; there are {string.Join(", ", Known)}")
            : names;
}
