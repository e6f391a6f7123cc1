using System.Globalization;
using TorBalancer.Configuration.Reading;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Commands;

namespace TorBalancer.Daemon.Manual;

/// <summary>torbalancer(1), from the table of commands.</summary>
internal static class CommandPage
{
    public static ManPage Write(CommandOutline program, string version, string date)
    {
        var page = new ManPage("torbalancer", 1, "one local proxy port in front of several Tor workers", version, date);
        page.Heading("SYNOPSIS");
        foreach (var command in Callable(program))
            page.Synopsis(Call(command));
        page.Heading("DESCRIPTION");
        page.Text(
            "TorBalancer is a proxy for HTTP, SOCKS5, SOCKS4 and SOCKS4a on one port, which the first byte tells apart. It takes each "
                + "connection, picks one of several workers for it, and answers the program only when that worker has answered. A worker "
                + "is a `tor`(1) process that listens for SOCKS connections. If one fails, the next is tried; if nothing helps, the "
                + "program is told what really failed. Host names are never looked up on this machine: they travel to Tor as they came.",
            "Without any configuration it listens on 127.0.0.1:1080 and starts three tor processes of its own. Point programs at "
                + "`http://127.0.0.1:1080` or `socks5h://127.0.0.1:1080`.");
        page.Heading("COMMANDS");
        foreach (var command in program.All.Where(command => command != program))
        {
            page.SubHeading($"torbalancer {command.Path}");
            page.Text(command.Description);
            foreach (var argument in command.Arguments)
                page.Item(argument.Name, Told(argument.Description, argument));
            WriteOptions(page, OwnOptions(command));
            if (command.TakesKeys)
                page.Item("`--Section:Key` VALUE", "A key of the configuration; see CONFIGURATION below.");
        }

        page.SubHeading("Every command, and torbalancer alone");
        WriteOptions(page, program.Options);
        WriteRest(page);
        return page;
    }

    /// <summary>Commands that do something themselves, rather than having commands that do.</summary>
    private static IEnumerable<CommandOutline> Callable(CommandOutline program) =>
        program.All.Where(command => command != program && command.IsCallable);

    /// <summary>Without --help, which every command has.</summary>
    private static IEnumerable<OptionOutline> OwnOptions(CommandOutline command) =>
        command.Options.Where(static option => option.Name != "--help");

    private static string Call(CommandOutline command)
    {
        var words = OwnOptions(command)
            .Select(static option => option.Value is null ? $"[`{option.Name}`]" : $"[`{option.Name}` {option.Value.Name}]")
            .Prepend($"`torbalancer {command.Path}`");
        words = words.Concat(command.Arguments.Select(static argument => argument.Call(static word => $"`{word}`")));
        return string.Join(' ', command.TakesKeys ? words.Append("[`--Section:Key` VALUE]...") : words);
    }

    private static void WriteOptions(ManPage page, IEnumerable<OptionOutline> options)
    {
        foreach (var option in options)
        {
            string spellings = string.Join(", ", option.Spellings.Select(static spelling => $"`{spelling}`"));
            string term = option.Value is null ? spellings : $"{spellings} {option.Value.Name}";
            string text = option.Value is null ? option.Description : Told(option.Description, option.Value);
            page.Item(term, option.Default is { Length: > 0 } value ? $"{text} Default: {value}." : text);
        }
    }

    /// <summary>What a value is, and the words that it may be.</summary>
    private static string Told(string description, ValueOutline value) => value.Words.Count == 0
        ? description
        : $"{description} {value.Name} is one of {string.Join(", ", value.Words.Select(static word => $"`{word}`"))}.".TrimStart();

    private static void WriteRest(ManPage page)
    {
        page.Heading("CONFIGURATION");
        page.Text(
            "The keys are in `torbalancer.conf`(5). Each may also be given in the environment and on the command line, where it wins "
                + "over the file:");
        page.Example("TORBALANCER_Balancing__Mode=random torbalancer run\ntorbalancer run --Balancing:Mode=random");
        page.Text("`torbalancer check` shows everything that is wrong with a configuration, each mistake with its place.");
        page.Heading("SIGNALS");
        page.Item(
            "`SIGTERM`, `SIGINT`",
            "`run` closes its listeners at once; connections may go on for [Tunnel] DrainTimeout and are then cut. Tor processes of its "
                + "own end last.");
        page.Item("`SIGHUP`",
            "`run` opens its log file anew and reads the configuration again, as `torbalancer reload` does: all of it is put into force, "
                + "or nothing. The log names what needs a restart.");
        page.Item(
            "`SIGUSR2`",
            "`run` starts a process of the program that its path names by now, which takes over from it, as `torbalancer run --takeover` "
                + "does.");
        page.Heading("EXIT STATUS");
        foreach (var (code, meaning) in ExitCodes.All)
            page.Item(code.ToString(CultureInfo.InvariantCulture), meaning);
        page.Heading("ENVIRONMENT");
        page.Item("`TORBALANCER_CONFIG`", "The configuration file, where `--config` names none.");
        page.Item($"`{ConfigurationOverrides.TokenVariable}`", "The token of the admin API, for commands that ask a running daemon.");
        page.Item("`NO_COLOR`", "Set to anything: no colours.");
        page.Item("`TORBALANCER_`Section`__`Key", "A key of the configuration.");
        page.Item("`XDG_CONFIG_HOME`, `XDG_STATE_HOME`, `XDG_RUNTIME_DIR`", "Where a user's own files are; see FILES.");
        page.Item("`STATE_DIRECTORY`, `RUNTIME_DIRECTORY`", "The same for a service; `systemd.exec`(5) sets them.");
        page.Item("`SOURCE_DATE_EPOCH`", "The date of the page that `manual` prints, in seconds since 1970.");
        page.Heading("FILES");
        page.Item(
            "`~/.config/torbalancer/torbalancer.conf`, `/etc/torbalancer/torbalancer.conf`", "The configuration; the first one holds.");
        page.Item("`workers.d` beside it", "Workers that were added by `torbalancer worker add --save`.");
        page.Item(
            "`~/.local/state/torbalancer`, `/var/lib/torbalancer`",
            "What tor processes of its own keep between runs, their guards above all; the second one is the service's.");
        page.Item(
            "`$XDG_RUNTIME_DIR/torbalancer/admin.sock`, `/run/torbalancer/admin.sock`",
            "The socket of the admin API, which also listens on 127.0.0.1:1081.");
        page.Item(
            "`$XDG_RUNTIME_DIR/torbalancer-publish/publish.sock`, `/run/torbalancer-publish/publish.sock`",
            "The socket of the publisher, which `onion status`, `onion drain` and `onion enable` ask.");
        page.Heading("EXAMPLES");
        page.Text("Try it in front of a private Tor network on this machine; nothing leaves it:");
        page.Example("torbalancer run --testnet");
        page.Text("Let this shell's programs use the proxy:");
        page.Example("eval \"$(torbalancer env)\"");
        page.Text("See what the daemon does, and what it would do with a connection:");
        page.Example("torbalancer status\ntorbalancer explain example.com:443");
        page.Text("Keep the circuits of one session together:");
        page.Example("curl -x socks5h://127.0.0.1:1080 --proxy-user session-abc: https://check.torproject.org/");
        page.Heading("SEE ALSO");
        page.Text("`torbalancer.conf`(5), `tor`(1), `torsocks`(1), `curl`(1)");
    }
}
