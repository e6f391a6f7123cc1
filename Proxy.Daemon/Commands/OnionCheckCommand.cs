using System.CommandLine;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Inspection;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer onion check</c>: says whether <c>publish</c> would start with this configuration.</summary>
internal static class OnionCheckCommand
{
    private const int Attempts = 3;

    private static readonly TimeSpan FetchLimit = TimeSpan.FromSeconds(45);

    public static Command Create()
    {
        var control = new Option<string?>("--control-port")
        {
            Description = "A tor to fetch the instances' descriptors by, IP:PORT or unix:PATH; default: [Publisher] ControlPort, if set",
            HelpName = "ADDRESS",
        };
        var offline = new Option<bool>("--offline") { Description = "Judge the configuration and the keys only; ask no tor" };
        var command = new Command(
            "check", "Check the publisher's configuration, its keys and, by a tor, whether its instances' descriptors can be had.")
        {
            control, offline,
        };
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            var result = arguments.Load(parsed, ConfigurationParts.Publisher);
            foreach (var issue in result.Errors)
                await error.WriteLineAsync(issue.ToString());
            foreach (var issue in result.Warnings)
                await error.WriteLineAsync($"{issue.Origin}: warning: {issue.Message}");
            if (!result.IsValid)
                return result.HasUsageErrors ? ExitCodes.Usage : ExitCodes.Failed;
            var options = result.Options;
            if (options.OnionServices.Count == 0)
            {
                await error.WriteLineAsync($"{result.Source}: there is no [OnionService:name]: nothing to publish");
                return ExitCodes.Failed;
            }

            EndPoint? endPoint = options.Publisher.ControlEndPoint;
            if (parsed.GetValue(control) is { } named && !ControlPortText.TryParse(named, out endPoint))
            {
                await error.WriteLineAsync($"torbalancer onion check: --control-port {named} is neither IP:PORT nor unix:PATH");
                return ExitCodes.Usage;
            }

            bool isFine = await CheckKeysAsync(options, output, error);
            if (endPoint is not null && !parsed.GetValue(offline))
                isFine &= await CheckInstancesAsync(options, endPoint, output, error, cancellationToken);
            if (isFine)
                await output.WriteLineAsync($"{result.Source}: ok ({Summary(options)})");
            return isFine ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static async Task<bool> CheckKeysAsync(TorBalancerOptions options, TextWriter output, TextWriter error)
    {
        bool isFine = true;
        var addresses = new Dictionary<string, OnionServiceAddress>(StringComparer.Ordinal);
        foreach (var service in options.OnionServices)
        {
            try
            {
                using var key = KeyFile.Load(service.Key);
                addresses[service.Name] = key.Address;
                await output.WriteLineAsync($"[OnionService:{service.Name}] {key.Address}");
            }
            catch (Exception failure) when (failure is KeyFileException or OnionCryptoException)
            {
                isFine = false;
                await error.WriteLineAsync($"[OnionService:{service.Name}] Key: {failure.Message}");
            }
        }

        foreach (string problem in ServiceAddresses.ProblemsOf(options, addresses))
        {
            isFine = false;
            await error.WriteLineAsync(problem);
        }

        return isFine;
    }

    private static async Task<bool> CheckInstancesAsync(
        TorBalancerOptions options, EndPoint endPoint, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        var publisher = options.Publisher;
        bool isItsOwn = endPoint.Equals(publisher.ControlEndPoint);
        var credentials = isItsOwn
            ? ControlCredentials.Of(publisher.ControlCookie, publisher.ControlPassword)
            : ControlCredentials.None;
        try
        {
            await using var control = await ControlConnection.ConnectAsync(
                endPoint, credentials, TorNetwork.Limits, NullLogger.Instance, TimeProvider.System, cancellationToken);
            await output.WriteLineAsync($"tor {control.Info.TorVersion}");
            bool isFine = !isItsOwn || await HasNoClientsAsync(control, error, cancellationToken);
            using var source = await DescriptorSource.OpenAsync(control, FetchLimit, TimeProvider.System, cancellationToken);
            var (consensus, isTesting, problem) = await source.ReadNetworkAsync(cancellationToken);
            if (consensus is null)
            {
                await error.WriteLineAsync($"this tor does not know the network well enough: {problem}");
                return false;
            }

            foreach (var instance in options.Instances)
            {
                if (!OnionServiceAddress.TryParse(instance.Address, out var address, out _))
                    continue;
                var inspection = new DescriptorInspection(source, address, consensus, new PeriodSchedule(consensus, isTesting));
                var (report, _, failure) = await inspection.OfOneAsync(Attempts, TimeProvider.System, cancellationToken);
                string[] problems = report is null ? [$"no directory has its descriptor: {failure}"] : [.. report.Problems];
                foreach (string one in problems)
                    await error.WriteLineAsync($"[Instance:{instance.FullName}] {one}");
                isFine &= problems.Length == 0;
                if (problems.Length == 0)
                    await output.WriteLineAsync($"[Instance:{instance.FullName}] {Found(report!)}");
            }

            return isFine;
        }
        catch (Exception failure) when (ControlFailures.IsExpected(failure))
        {
            await error.WriteLineAsync(failure.Message);
            return false;
        }
    }

    // What they look up and what we fetch would be in one cache, and a signal of either would disturb the other.
    private static async Task<bool> HasNoClientsAsync(ControlConnection control, TextWriter error, CancellationToken cancellationToken)
    {
        if (await PublisherTor.ClientPortOfAsync(control, cancellationToken) is not { } port)
            return true;
        await error.WriteLineAsync(
            $"[Publisher] ControlPort: this tor has clients of its own ({port}); the publisher needs one with SocksPort 0");
        return false;
    }

    private static string Found(DescriptorReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{report.InnerLayer!.IntroductionPoints.Count} introduction points, flow-control {report.InnerLayer.FlowControl ?? "no"}, "
            + $"revision {report.RevisionCounter}{(report.InnerLayer.ProofOfWork is null ? "" : "; its proof of work is not carried")}");

    private static string Summary(TorBalancerOptions options) => string.Create(
        CultureInfo.InvariantCulture, $"{options.OnionServices.Count} onion services, {options.Instances.Count} instances");
}
