namespace TorBalancer.Daemon.Commands;

/// <summary>The questions of <c>init</c> at a terminal. An empty answer takes what stands in brackets.</summary>
internal sealed class InitQuestions(TextReader input, TextWriter output)
{
    /// <summary>The answers; null: the input ended.</summary>
    public async Task<InitAnswers?> AskAsync(InitAnswers defaults, CancellationToken cancellationToken)
    {
        await output.WriteLineAsync("Some questions; Enter takes what stands in brackets, Ctrl-C ends it without writing anything.");
        if (await AskAsync("Where are programs to connect? address:port", defaults.Listen, cancellationToken) is not { } listen
            || await AskAsync(
                "Workers on other hosts? Their IP addresses, separated by spaces; none: tor processes of its own", "none",
                cancellationToken) is not { } workers)
            return null;
        string[] hosts = workers == "none" ? [] : workers.Split((char[])[' ', ','], StringSplitOptions.RemoveEmptyEntries);
        string? gateway = "", managed = defaults.Managed, control = "no";
        if (hosts.Length == 0)
            managed = await AskAsync("How many tor processes of its own?", defaults.Managed, cancellationToken);
        else
        {
            gateway = await AskAsync("This machine's address, as those hosts see it?", "", cancellationToken);
            control = await AskAsync(
                "Control ports too, to watch circuits and exits? Their password crosses the network in the clear: yes only on a link of "
                    + "your own", "no", cancellationToken);
        }

        string? mode = await AskAsync("How is a worker picked?", defaults.Mode, cancellationToken);
        return gateway is null || managed is null || control is null || mode is null
            ? null
            : defaults with
            {
                Listen = listen,
                Workers = hosts,
                Gateway = gateway,
                Managed = managed,
                Mode = mode,
                HasControl = control.StartsWith('y') || control.StartsWith('Y'),
            };
    }

    private async Task<string?> AskAsync(string question, string preset, CancellationToken cancellationToken)
    {
        await output.WriteAsync($"{question} [{preset}] ");
        await output.FlushAsync(cancellationToken);
        string? answer = await input.ReadLineAsync(cancellationToken);
        return answer is null ? null : answer.Trim() is { Length: > 0 } text ? text : preset;
    }
}
