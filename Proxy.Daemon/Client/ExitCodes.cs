namespace TorBalancer.Daemon.Client;

/// <summary>What a command ends with; contract. The manual and docs/command-line.md have their tables from <see cref="All"/>.</summary>
internal static class ExitCodes
{
    public const int Done = 0, Failed = 1, Usage = 2, NoDaemon = 3, Unknown = 4, Interrupted = 130;

    /// <summary>Each with what it means to whoever called.</summary>
    public static IReadOnlyList<(int Code, string Meaning)> All { get; } =
    [
        (Done, "Done: what was asked for is so. An ordinary end of `run`."),
        (
            Failed,
            "It failed: an address is taken, the configuration is wrong, the daemon refused. `healthcheck`: no connection would be carried "
                + "now, or no daemon answers. `doctor`: something needs mending. `user check`: the password is another."),
        (Usage, "The command line is wrong."),
        (NoDaemon, "No daemon answers, or it lets this user or this token not in."),
        (Unknown, "The daemon knows no such worker, connection, session or relay; the file has no such user."),
        (Interrupted, "Ctrl-C ended it before it was done."),
    ];
}
