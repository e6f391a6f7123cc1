using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using TorBalancer.Interop;
using TorBalancer.Processes;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Supervision;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer testnet up|status|down</c>.</summary>
internal static class TestnetCommand
{
    /// <summary>The network's directory when none is named: one a user.</summary>
    private static string DefaultDirectory =>
        Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } runtime && FileCalls.IsOurs(runtime)
        ? Path.Combine(runtime, "torbalancer-testnet")
        : string.Create(CultureInfo.InvariantCulture, $"/tmp/torbalancer-testnet-{ProcessSignals.UserId}");

    // Made at every start of the program, whatever the command: nothing of the network's own library is loaded for it.
    public static Command Create()
    {
        var directory = new Option<string?>("--directory")
        {
            Description = "Where the network lives; default: torbalancer-testnet in $XDG_RUNTIME_DIR, else /tmp/torbalancer-testnet-UID",
            HelpName = "DIR",
        };
        return new Command("testnet", "A private Tor network on loopback, for trying everything offline.")
        {
            Up(directory), Status(directory), Down(directory), Serve(directory),
        };
    }

    private static Command Up(Option<string?> directory)
    {
        var foreground = new Option<bool>("--foreground")
        {
            Description = "Stay until Ctrl-C or SIGTERM instead of going to the background",
        };
        var size = new SizeOptions();
        var command = new Command(
            "up",
            "Start it and wait until it is ready.") { directory, size.Workers, size.Relays, size.Exits, size.Latency,
            size.DocumentationAddresses, foreground };
        command.SetAction((result, cancellationToken) =>
            Commands(result, directory).UpAsync(size.Read(result), result.GetValue(foreground), cancellationToken));
        return command;
    }

    private static Command Status(Option<string?> directory)
    {
        var json = new Option<bool>("--json") { Description = "As JSON" };
        var command = new Command("status", "Show it.") { directory, json };
        command.SetAction(result => Commands(result, directory).Status(result.GetValue(json)));
        return command;
    }

    private static Command Down(Option<string?> directory)
    {
        var command = new Command("down", "Stop it and remove its directory.") { directory };
        command.SetAction((result, cancellationToken) => Commands(result, directory).DownAsync(cancellationToken));
        return command;
    }

    /// <summary>What <c>up</c> starts in the background; not for people.</summary>
    private static Command Serve(Option<string?> directory)
    {
        var size = new SizeOptions();
        var command = new Command(
            TestnetLauncher.ServeCommand) { directory, size.Workers, size.Relays, size.Exits, size.Latency,
            size.DocumentationAddresses };
        command.Hidden = true;
        command.SetAction((result, cancellationToken) =>
        {
            ProcessSignals.StartOwnSession();
            return Commands(result, directory).ServeAsync(size.Read(result), _ => { }, cancellationToken);
        });
        return command;
    }

    private static TestnetCommands Commands(ParseResult result, Option<string?> directory)
    {
        string path = result.GetValue(directory) is { Length: > 0 } named ? named : DefaultDirectory;
        InvocationConfiguration console = result.InvocationConfiguration;
        return new TestnetCommands(new TestnetDirectory(path), console.Output, console.Error, TimeProvider.System);
    }

    /// <summary>How many of each; the ranges are <see cref="TestNetworkOptions"/>'s.</summary>
    private sealed class SizeOptions
    {
        public Option<int> Workers { get; } = Count(
            "--workers", "Tor clients to balance over", static _ => new TestNetworkOptions().Workers);

        public Option<int> Relays { get; } = Count("--relays", "Guards and middles", static _ => new TestNetworkOptions().Relays);

        public Option<int> Exits { get; } = Count("--exits", "Exits", static _ => new TestNetworkOptions().Exits);

        public Option<TimeSpan> Latency { get; } = LatencyOption.Create();

        /// <summary>Of use only where these addresses have been made to lead to the origin.</summary>
        public Option<bool> DocumentationAddresses { get; } = new("--documentation-addresses") { Hidden = true };

        public TestNetworkOptions Read(ParseResult result) => new()
        {
            Workers = result.GetValue(Workers),
            Relays = result.GetValue(Relays),
            Exits = result.GetValue(Exits),
            Latency = result.GetValue(Latency),
            DocumentationAddresses = result.GetValue(DocumentationAddresses),
        };

        private static Option<int> Count(string name, string description, Func<ArgumentResult, int> value) =>
            new(name) { Description = description, DefaultValueFactory = value, HelpName = "N" };
    }
}
