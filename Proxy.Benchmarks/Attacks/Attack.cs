using TorBalancer.Benchmarks.Attacks.Bots;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>One attack.</summary>
/// <param name="Name">Its word on the command line, and that of the <see cref="BotCommand"/>.</param>
/// <param name="Title">What attackers do, for the table; {0} is <paramref name="Size"/>.</param>
/// <param name="Size">How many there are at a time.</param>
internal sealed record Attack(string Name, string Title, int Size)
{
    /// <summary>Further lines of the listener's section.</summary>
    public string Listener { get; init; } = "";

    /// <summary>Passwords are asked for.</summary>
    public bool HasUsers { get; init; }

    /// <summary>Needs the interface that leads nowhere (eng/attacks.sh).</summary>
    public bool IsHalfOpen { get; init; }

    /// <summary>RLIMIT_NOFILE of the daemon; 0: as this process has it, and no more attackers than there is room for.</summary>
    public int Descriptors { get; init; }

    /// <summary>
    /// The bystander is in already: what is measured is an echo over a connection that stands, not a connection of its own.
    /// </summary>
    public bool IsIn { get; init; }

    /// <summary>What is counted of it: connections that it holds, or what it has done in a second.</summary>
    public bool CountsHeld { get; init; }

    /// <summary>Whether a row of the table begins so that is this attack's, whatever its size was.</summary>
    public bool IsRow(string title) => Title.Split("{0:N0}") is [var before, var after]
        ? title.StartsWith(before, StringComparison.Ordinal) && title.EndsWith(after, StringComparison.Ordinal)
        : title == Title;

    public static IReadOnlyList<Attack> All { get; } =
    [
        new("silent", "{0:N0} clients that connect and say nothing", 10_000) { CountsHeld = true },
        new("crowded", "{0:N0} such clients where there is room for 1,900: `LimitNOFILE=4096`", 6_000)
        {
            CountsHeld = true, Descriptors = 4096,
        },
        new("crowded-in", "the same {0:N0}, and a bystander who is in already", 6_000)
        {
            CountsHeld = true, Descriptors = 4096, IsIn = true,
        },
        new("slow", "{0:N0} clients that send a byte of their request a second", 2_000) { CountsHeld = true },
        new("reset", "connect and reset, from one processor as fast as it can", 1),
        new("half-open", "SYN without an end to it, from one processor as fast as it can", 1) { IsHalfOpen = true },
        new("headers", "{0:N0} clients whose heads do not end", 200),
        new("chunks", "{0:N0} clients whose bodies do not end, in chunks of one byte", 64) { CountsHeld = true },
        new("readers", "{0:N0} clients who ask for a flood and take 512 bytes of it a second", 1_000) { CountsHeld = true },
        new("passwords", "{0:N0} clients of 16 addresses that guess passwords, `FailedLogins = 20`", 64) { HasUsers = true },
        new("passwords-unbounded", "the same with `FailedLogins = 0`", 64) { HasUsers = true, Listener = "FailedLogins = 0\n" },
    ];
}
