using System.Globalization;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>What the run was asked for.</summary>
internal sealed record AttackOptions
{
    public IReadOnlyList<Attack> Attacks { get; private init; } = Attack.All;

    /// <summary>Seconds of each attack that are measured, and of the quiet time before it.</summary>
    public double Seconds { get; private init; } = 6;

    /// <summary>Seconds after an attack's end, when everything is to be back at the base line.</summary>
    public double Rest { get; private init; } = 60;

    /// <summary>The page whose table is made anew; null: none.</summary>
    public string? Update { get; private init; }

    /// <summary>The daemon; null: the newest release, or else what is built.</summary>
    public string? Daemon { get; private init; }

    /// <summary>The repository.</summary>
    public string Root { get; private init; } = Directory.GetCurrentDirectory();

    /// <summary>As attacks.sh was called, for the report.</summary>
    public string CommandLine { get; private init; } = "";

    public static AttackOptions Parse(string[] args)
    {
        var options = new AttackOptions
        {
            CommandLine = string.Join(' ', args.Where((arg, at) => !IsPlace(arg) && (at == 0 || !IsPlace(args[at - 1])))),
        };
        for (int i = 0; i < args.Length; i++)
        {
            options = args[i] switch
            {
                "--only" => options with { Attacks = [.. Value().Split(',').Select(Find)] },
                "--seconds" => options with { Seconds = double.Parse(Value(), CultureInfo.InvariantCulture) },
                "--rest" => options with { Rest = double.Parse(Value(), CultureInfo.InvariantCulture) },
                "--update" => options with { Update = Path.GetFullPath(Value()) },
                "--daemon" => options with { Daemon = Path.GetFullPath(Value()) },
                "--root" => options with { Root = Path.GetFullPath(Value()) },
                var other => throw new ArgumentException($"{other} is not known; see the head of eng/attacks.sh"),
            };

            string Value() => ++i < args.Length ? args[i] : throw new ArgumentException($"{args[i - 1]} wants a value");
        }

        return options;
    }

    /// <summary>What says nothing of how it was measured.</summary>
    private static bool IsPlace(string option) => option is "--root" or "--update" or "--daemon";

    private static Attack Find(string name) =>
        Attack.All.FirstOrDefault(one => one.Name == name)
            ?? throw new ArgumentException(
                $"{name} is no attack; there are {string.Join(", ", Attack.All.Select(static one => one.Name))}");
}
