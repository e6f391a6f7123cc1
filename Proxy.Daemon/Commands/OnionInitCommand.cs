using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Client;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;
using TorBalancer.Primitives;

namespace TorBalancer.Daemon.Commands;

/// <summary>Who holds the key of an onion address, and who publishes its descriptor.</summary>
internal enum OnionTopology : byte
{
    /// <summary>Several tors with the same key: fail-over.</summary>
    Parallel,

    /// <summary>A publisher with the key in front of backends without it: balance.</summary>
    Split,

    /// <summary>Several such publishers.</summary>
    Combined,
}

/// <summary>What <c>onion init</c> is to write.</summary>
/// <param name="Name">Of the service.</param>
/// <param name="Port">Of the onion address.</param>
/// <param name="Target">Where each tor finds the server behind it, as torrc has it.</param>
/// <param name="Publishers">0 for <see cref="OnionTopology.Parallel"/>.</param>
internal sealed record OnionPlan(string Name, OnionTopology Topology, int Instances, int Publishers, int Port, string Target);

/// <summary><c>torbalancer onion init</c>: key, backends and publisher of a new address, or of one that changes its topology.</summary>
internal static class OnionInitCommand
{
    private const int MostPublishers = 9;

    public static Command Create()
    {
        var options = new InitOptions();
        var command = new Command(
            "init", "Write key, backends' torrc lines and publisher's configuration of an onion address, and what belongs where.");
        options.AddTo(command);
        command.SetAction(parsed => Run(parsed, options));
        return command;
    }

    private static int Run(ParseResult parsed, InitOptions options)
    {
        var console = parsed.InvocationConfiguration;
        var (plan, problem) = options.Read(parsed);
        if (plan is null)
        {
            console.Error.WriteLine($"torbalancer onion init: {problem}");
            return ExitCodes.Usage;
        }

        try
        {
            var files = new InitFiles(parsed.GetValue(options.Output)!, parsed.GetValue(options.Force));
            using var identity = parsed.GetValue(options.Key) is { } path ? KeyFile.Load(path) : IdentityKey.Generate();
            using var set = new OnionInitFiles(plan, identity);
            files.RequireAbsent(set.Paths);
            set.WriteTo(files);
            console.Output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{files.Directory}: {files.Written} files for {identity.Address}, with its secret key; {InitFiles.ReadMe} says where each "
                    + $"belongs"));
            return ExitCodes.Done;
        }
        catch (Exception failure) when (failure is InitException or KeyFileException or OnionCryptoException)
        {
            console.Error.WriteLine($"torbalancer onion init: {failure.Message}");
            return ExitCodes.Failed;
        }
    }

    private sealed class InitOptions
    {
        private readonly Option<int> _instances = new("--instances")
        {
            Description = $"Backends, up to {OnionServiceOptions.MostInstances}",
            HelpName = "N",
            DefaultValueFactory = static _ => 2,
        };

        private readonly Option<string> _topology = new("--topology")
        {
            Description = "parallel: each backend has the key, fail-over; split: a publisher has it, balance; combined: several publishers",
            HelpName = "WORD",
            DefaultValueFactory = static _ => "split",
        };

        private readonly Option<string> _name = new("--name")
        {
            Description = "What the service is called in file names and sections",
            HelpName = "NAME",
            DefaultValueFactory = static _ => "main",
        };

        private readonly Option<int> _publishers = new("--publishers")
        {
            Description = $"Publishers of the topology combined, 2 to {MostPublishers}",
            HelpName = "N",
            DefaultValueFactory = static _ => 2,
        };

        private readonly Option<int> _port = new("--port")
        {
            Description = "The port of the onion address",
            HelpName = "PORT",
            DefaultValueFactory = static _ => 80,
        };

        private readonly Option<string> _target = new("--target")
        {
            Description = "Where each backend's tor finds the server: PORT, IP:PORT or unix:PATH",
            HelpName = "ADDRESS",
            DefaultValueFactory = static _ => "127.0.0.1:80",
        };

        public Option<string?> Key { get; } = new("--key")
        {
            Description = "The secret key of an address that there is already, in either form; without it a new one is made",
            HelpName = "FILE",
        };

        public Option<string> Output { get; } = new("--out", "--output", "-o")
        {
            Description = "The directory to write to",
            HelpName = "DIR",
            DefaultValueFactory = static _ => "torbalancer-onion",
        };

        public Option<bool> Force { get; } = new("--force")
        {
            Description = "Overwrite files that are there already; an address whose only key was there is lost",
        };

        public void AddTo(Command command)
        {
            _topology.AcceptOnlyFromAmong("parallel", "split", "combined");
            foreach (Option option in (Option[])[_instances, _topology, Output, _name, Key, _publishers, _port, _target, Force])
                command.Options.Add(option);
        }

        public (OnionPlan? Plan, string Problem) Read(ParseResult parsed)
        {
            var topology = parsed.GetValue(_topology) switch
            {
                "parallel" => OnionTopology.Parallel,
                "split" => OnionTopology.Split,
                _ => OnionTopology.Combined,
            };
            bool saysPublishers = parsed.GetResult(_publishers) is { Implicit: false };
            int publishers = topology switch
            {
                OnionTopology.Parallel => 0,
                OnionTopology.Split => 1,
                _ => parsed.GetValue(_publishers),
            };
            var plan = new OnionPlan(
                parsed.GetValue(_name)!, topology, parsed.GetValue(_instances), publishers, parsed.GetValue(_port),
                parsed.GetValue(_target)!);
            string? problem = plan switch
            {
                _ when saysPublishers && topology != OnionTopology.Combined => "--publishers goes with --topology combined",
                { Instances: < 1 or > OnionServiceOptions.MostInstances } =>
                    Text($"--instances {plan.Instances}: 1 to {OnionServiceOptions.MostInstances} are possible"),
                { Topology: OnionTopology.Combined, Publishers: < 2 or > MostPublishers } =>
                    Text($"--publishers {plan.Publishers}: 2 to {MostPublishers} are possible"),
                { Port: < 1 or > 65535 } => Text($"--port {plan.Port}: 1 to 65535 are possible"),
                _ when !ConfText.IsName(plan.Name) => $"--name {ConfText.Printable(plan.Name)}: a name has letters, digits, -, _ and .",
                _ when !IsTarget(plan.Target) => $"--target {ConfText.Printable(plan.Target)} is neither PORT, IP:PORT nor unix:PATH",
                _ => null,
            };
            return problem is null ? (plan, "") : (null, problem);
        }

        private static readonly SearchValues<char> EndsValue = SearchValues.Create(" \t\r\n\"#\\");

        // It goes into a torrc as it is: nothing that could end the line or begin a comment.
        private static bool IsTarget(string text)
        {
            if (text.AsSpan().ContainsAny(EndsValue))
                return false;
            if (text.StartsWith("unix:/", StringComparison.Ordinal))
                return !text.Any(char.IsControl);
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port)
                ? port is >= 1 and <= 65535
                : AddressLiteral.TryParseEndPoint(text, out var endPoint) && endPoint.Port != 0 && endPoint.ToString() == text;
        }

        private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }
}
