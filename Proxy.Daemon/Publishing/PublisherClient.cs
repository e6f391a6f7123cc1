using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Reading;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Commands;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Publishing;

/// <summary>The command line's side of the publisher's status socket.</summary>
internal static class PublisherClient
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Finds the publisher of the configuration and lets <paramref name="ask"/> ask it; says what went wrong, and gives the exit status.
    /// </summary>
    /// <param name="command">What messages begin with: "onion status".</param>
    public static async Task<int> RunAsync(
        ParseResult parsed, ConfigurationArguments arguments, string command, Func<AdminClient, CancellationToken, Task<int>> ask,
        CancellationToken cancellationToken)
    {
        // The publisher has judged it; whoever asks may not even see its key.
        var result = arguments.Load(parsed, ConfigurationParts.None);
        var error = parsed.InvocationConfiguration.Error;
        foreach (var issue in result.Errors)
            await error.WriteLineAsync(issue.ToString());
        if (!result.IsValid)
            return result.HasUsageErrors ? ExitCodes.Usage : ExitCodes.Failed;
        if (PlaceOf(result.Options.Publisher.Status) is not { } place)
        {
            await error.WriteLineAsync($"torbalancer {command}: [Publisher] Status is none: there is nothing to ask");
            return ExitCodes.Failed;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            using var client = new AdminClient(new UnixDomainSocketEndPoint(place));
            return await ask(client, limit.Token);
        }
        catch (AdminClientException failure)
        {
            await error.WriteLineAsync($"torbalancer {command}: no publisher answers at {place}: {failure.Message}");
            return ExitCodes.NoDaemon;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            string seconds = Limit.TotalSeconds.ToString(CultureInfo.InvariantCulture);
            await error.WriteLineAsync($"torbalancer {command}: no answer of the publisher at {place} within {seconds} s");
            return ExitCodes.NoDaemon;
        }
    }

    private static string? PlaceOf(string configured)
    {
        string? own = PublisherPaths.StatusSocket(configured, Environment.GetEnvironmentVariable, ProcessSignals.UserId);
        return configured == "auto" && !File.Exists(own) && File.Exists(PublisherPaths.ServiceSocket) ? PublisherPaths.ServiceSocket : own;
    }
}
