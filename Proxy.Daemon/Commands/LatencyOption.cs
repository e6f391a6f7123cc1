using System.CommandLine;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Testnet;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>--latency 30ms</c>, of every command that starts a test network.</summary>
internal static class LatencyOption
{
    public static Option<TimeSpan> Create() => new("--latency")
    {
        Description = "How far each relay and exit is to be away, one way: 30ms is a few hundred kilometres of Internet (default 0)",
        HelpName = "TIME",
        CustomParser = static result =>
        {
            // Read only when it is given: nothing of the network's own library is loaded for others.
            string text = result.Tokens is [var token] ? token.Value : "";
            if (Values.Duration(TimeSpan.Zero, TestNetworkOptions.MaxLatency).Parse(text, default, out var latency) is { } problem)
            {
                result.AddError(
                    $"--latency {text} {problem.What}; allowed is a duration from 0s to "
                        + $"{DurationText.Show(TestNetworkOptions.MaxLatency)}, such as 30ms");
            }

            return latency;
        },
    };
}
