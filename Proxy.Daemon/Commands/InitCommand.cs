using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Primitives;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// <c>torbalancer init</c>: writes a configuration to begin with and the torrc of workers on other hosts, from flags or questions; with
/// --wireguard what N workers behind WireGuard links need, on both ends.
/// </summary>
internal static class InitCommand
{
    public static Command Create()
    {
        var wireguard = new Option<bool>("--wireguard")
        {
            Description = "Links, torrc and firewall of workers behind WireGuard, and their [Worker:name] sections",
        };
        var endpoints = new Option<string[]>("--endpoint")
        {
            Description = "Where a worker's WireGuard is reached, address:port (port 51820 when left out); once for each worker",
            HelpName = "ADDRESS",
            AllowMultipleArgumentsPerToken = true,
        };
        var network = new Option<string>("--network")
        {
            Description = "The first two numbers of the links' addresses, of a private network; worker I gets NETWORK.I.0/24",
            HelpName = "A.B",
            DefaultValueFactory = _ => "10.201",
        };
        var workers = new Option<string[]>("--worker")
        {
            Description = "Where a worker on another host is to listen, address or address:port (port 9050); once for each",
            HelpName = "ADDRESS",
            AllowMultipleArgumentsPerToken = true,
        };
        var gateway = new Option<string[]>("--gateway")
        {
            Description = "An interface: serve the network behind it, whose hosts need not know, and let nothing of it past; or this "
                + "machine's address as those workers see it: nobody else may use them",
            HelpName = "INTERFACE",
        };
        var listen = Text("--listen", "ADDRESS", "Where programs connect (default 127.0.0.1:1080)");
        var mode = Text("--mode", "MODE", "How a worker is picked (default round_robin)");
        mode.CompletionSources.Add([.. SelectionPolicyNames.All]);
        var managed = Text("--managed", "N", "Without --worker: how many tor processes of its own (default 3)");
        var control = new Option<bool>("--control")
        {
            Description = "Control ports for the workers, with passwords that are made for them",
        };
        var output = Text(
            "--output", "DIR", "The directory to write to (default torbalancer-init, with --wireguard torbalancer-wireguard)");
        output.Aliases.Add("-o");
        var force = new Option<bool>("--force")
        {
            Description = "Overwrite files that are there already; links with the old keys stop working",
        };
        var command = new Command(
            "init", "Write configuration files to begin with, from flags, or from answers to a few questions at a terminal.")
        {
            workers, gateway, listen, mode, managed, control, wireguard, endpoints, network, output, force,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var console = parsed.InvocationConfiguration;
            var given = command.Options.Where(option => parsed.GetResult(option) is { Implicit: false })
                .Select(static option => option.Name).ToHashSet(StringComparer.Ordinal);
            if (InitFlags.Contradiction(given.Contains) is { } contradiction)
                return await UsageAsync(console.Error, contradiction);
            if (!parsed.GetValue(wireguard))
            {
                if (InitFlags.ReadGateways(parsed.GetValue(gateway) ?? [], out string address, out string device) is { } wrong)
                    return await UsageAsync(console.Error, wrong);
                if (address.Length > 0 && !given.Contains("--worker"))
                {
                    return await UsageAsync(
                        console.Error,
                        $"--gateway {ConfText.Printable(address)} goes with --worker, which is not given: it is the address by which "
                            + "workers see this machine");
                }

                var answers = new InitAnswers();
                Option[] flags = [workers, gateway, listen, mode, managed, control];
                bool isTold = Array.Exists(flags, option => parsed.GetResult(option) is { Implicit: false });
                answers = answers with
                {
                    Workers = parsed.GetValue(workers) ?? [],
                    Gateway = address,
                    Interface = device,
                    Listen = parsed.GetValue(listen) ?? (device.Length > 0 ? InitAnswers.ListenForNetwork : answers.Listen),
                    Mode = parsed.GetValue(mode) ?? answers.Mode,
                    Managed = parsed.GetValue(managed) ?? answers.Managed,
                    HasControl = parsed.GetValue(control),
                };
                string directory = parsed.GetValue(output) ?? "torbalancer-init";
                return await HostsAsync(answers, isTold, directory, parsed.GetValue(force), console, cancellationToken);
            }

            var (plan, problem) = WireGuardPlan.Create(parsed.GetValue(endpoints) ?? [], parsed.GetValue(network)!);
            if (plan is null)
                return await UsageAsync(console.Error, problem);
            return await RunAsync(
                plan, parsed.GetValue(output) ?? "torbalancer-wireguard", parsed.GetValue(force), console.Output, console.Error,
                cancellationToken);
        });
        return command;
    }

    private static Option<string?> Text(string name, string value, string description) =>
        new(name) { Description = description, HelpName = value };

    private static async Task<int> HostsAsync(
        InitAnswers answers, bool isTold, string directory, bool force, InvocationConfiguration console,
        CancellationToken cancellationToken)
    {
        if (!isTold)
        {
            // Nothing was said: a person is asked, a script is told.
            if (!TerminalCalls.IsTerminal(TerminalCalls.Input))
            {
                return await UsageAsync(
                    console.Error,
                    "say what to write: init --worker ADDRESS --gateway ADDRESS …, init --managed N, init --gateway INTERFACE, or "
                        + "init --wireguard --endpoint ADDRESS …");
            }

            if (await new InitQuestions(Console.In, console.Output).AskAsync(answers, cancellationToken) is not { } given)
                return ExitCodes.Failed;
            answers = given;
        }

        var (plan, problem) = InitPlan.Create(answers);
        if (plan is null)
            return await UsageAsync(console.Error, problem);
        try
        {
            var files = new InitFiles(directory, force);
            var hosts = new InitHostFiles(plan);
            files.RequireAbsent(hosts.Paths);
            foreach (var (path, text) in hosts.Render())
                files.Write(path, text);
            if (plan.Network is { } network && !Directory.Exists($"/sys/class/net/{network.Interface}"))
                await console.Error.WriteLineAsync($"note: this machine has no interface {network.Interface}");
            await console.Output.WriteLineAsync($"{files.Directory}: {files.Written} files; {InitFiles.ReadMe} says where each belongs");
            return ExitCodes.Done;
        }
        catch (InitException failure)
        {
            await console.Error.WriteLineAsync($"torbalancer init: {failure.Message}");
            return ExitCodes.Failed;
        }
    }

    private static async Task<int> RunAsync(
        WireGuardPlan plan, string directory, bool force, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        try
        {
            var keys = new WireGuardKeys();
            var files = new InitFiles(directory, force);
            var links = new List<WireGuardLinkFiles>();
            for (int i = 1; i <= plan.Endpoints.Count; i++)
                links.Add(new WireGuardLinkFiles(plan, i));
            files.RequireAbsent([InitFiles.WorkersConf, InitFiles.ReadMe, .. links.SelectMany(static link => link.Paths)]);
            foreach (var link in links)
            {
                var (host, worker) = (await keys.GenerateAsync(cancellationToken), await keys.GenerateAsync(cancellationToken));
                foreach (var (path, text) in link.Render(host, worker))
                    files.Write(path, text);
            }

            files.Write(InitFiles.WorkersConf, WireGuardLinkFiles.WorkersConf(links));
            files.Write(InitFiles.ReadMe, WireGuardLinkFiles.ReadMe(links));
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{files.Directory}: {files.Written} files for {links.Count} workers, with private keys; {InitFiles.ReadMe} says where "
                    + $"each belongs"));
            return ExitCodes.Done;
        }
        catch (InitException failure)
        {
            await error.WriteLineAsync($"torbalancer init: {failure.Message}");
            return ExitCodes.Failed;
        }
    }

    private static async Task<int> UsageAsync(TextWriter error, string problem)
    {
        await error.WriteLineAsync($"torbalancer init: {problem}");
        return ExitCodes.Usage;
    }
}

/// <summary>Nothing could be written; the message is for the user and says what to do.</summary>
internal sealed class InitException(string message) : Exception(message);

/// <summary>What was asked for, checked.</summary>
/// <param name="Endpoints">Where each worker's WireGuard is reached.</param>
/// <param name="Network">"10.201".</param>
internal sealed record WireGuardPlan(IReadOnlyList<IPEndPoint> Endpoints, string Network)
{
    private const int DefaultPort = 51820;

    // The number is a part of an address, and 0 and 255 read as something else. So the /16 of a network is wide enough for all.
    private const int MaxWorkers = 250;

    public static (WireGuardPlan? Plan, string Problem) Create(IReadOnlyList<string> endpoints, string network)
    {
        if (endpoints.Count == 0)
            return (null, "no worker; give --endpoint address:port once for each");
        if (endpoints.Count > MaxWorkers)
            return (null, $"too many workers; {MaxWorkers} are possible");
        var parsed = new List<IPEndPoint>();
        foreach (string text in endpoints)
        {
            // A name would be resolved by wg, outside Tor, each time the link comes up.
            if (!TryEndPoint(text, out var endPoint))
                return (null, $"--endpoint {text} is not an IP address with a port{Hint(text)}");
            if (AddressDiagnosis.HidesPort(text))
                return (null, $"--endpoint {text} is an IPv6 address without brackets{Hint(text)}");
            if (endPoint.Port == 0)
                endPoint.Port = DefaultPort;
            if (parsed.Contains(endPoint))
                return (null, $"--endpoint {endPoint} is given twice; each worker has its own");
            parsed.Add(endPoint);
        }

        return IsPrivate(network)
            ? (new WireGuardPlan(parsed, network), "")
            : (
                null,
                $"--network {network} is not the beginning of a private network; allowed: 10.0 to 10.255, 172.16 to 172.31, and 192.168");
    }

    private static string Hint(string text) =>
        AddressDiagnosis.OfEndPoint(text, new ValueProblem(""), DefaultPort).Suggestion is { } meant
            && !meant.StartsWith("127.", StringComparison.Ordinal)
            ? $"; did you mean {meant}?"
            : "";

    /// <summary>
    /// Two decimal numbers of RFC 1918: whatever else is not public has a meaning of its own. With leading zeros they would be octal to
    /// some.
    /// </summary>
    private static bool IsPrivate(string network)
    {
        string[] parts = network.Split('.');
        return parts.Length == 2 && TryNumber(parts[0], out int first) && TryNumber(parts[1], out int second)
            && (first == 10 || (first == 172 && second is >= 16 and <= 31) || (first == 192 && second == 168));
    }

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && number <= 255
            && number.ToString(CultureInfo.InvariantCulture) == text;

    /// <summary>With a port or without one, which is 0 then.</summary>
    private static bool TryEndPoint(string text, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        if (AddressLiteral.TryParseEndPoint(text, out endPoint))
            return true;
        if (AddressLiteral.TryParseZoned(text is ['[', .. var inner, ']'] && inner.Contains(':') ? inner : text, out var address))
            endPoint = new IPEndPoint(address, 0);
        return endPoint is not null;
    }
}
