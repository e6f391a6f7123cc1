using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Daemon.Client;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Inspection;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer onion inspect</c>: shows a descriptor, layer by layer, with everything that is wrong with it.</summary>
internal static class OnionInspectCommand
{
    // HSV3MaxDescriptorSize's default.
    private const int UsualMaxSize = 50_000, LongestFile = 1 << 20, Attempts = 6;

    private static readonly TimeSpan FetchLimit = TimeSpan.FromSeconds(60);

    public static Command Create()
    {
        var subject = new Argument<string>("what")
        {
            Description = "An onion address, whose descriptor is fetched through a tor; or a file with a descriptor, - for standard input",
            HelpName = "ADDRESS|FILE",
        };
        var address = new Option<string?>("--address")
        {
            Description = "Whose descriptor the file holds; without it the layers stay closed",
            HelpName = "ADDRESS",
        };
        var control = new Option<string?>("--control-port")
        {
            Description = "The control port of a tor that is no worker's, IP:PORT or unix:PATH; default: unix:/run/tor/control",
            HelpName = "ADDRESS",
        };
        var directories = new Option<bool>("--directories")
        {
            Description = "Ask each directory that keeps the descriptor of this time period, and show what each one has",
        };
        var json = new Option<bool>("--json") { Description = "As JSON" };
        var command = new Command(
            "inspect", "Show a descriptor, layer by layer, with everything that is wrong with it; exit status 0: clients can use it.")
        {
            subject, address, control, directories, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var console = parsed.InvocationConfiguration;
            var request = new InspectRequest(
                parsed.GetValue(subject)!, parsed.GetValue(address), parsed.GetValue(control), parsed.GetValue(directories),
                parsed.GetValue(json));
            try
            {
                return await RunAsync(request, console.Output, cancellationToken);
            }
            catch (InspectException failure)
            {
                await console.Error.WriteLineAsync($"torbalancer onion inspect: {failure.Message}");
                return failure.IsUsage ? ExitCodes.Usage : ExitCodes.Failed;
            }
            catch (Exception failure) when (ControlFailures.IsExpected(failure) || failure is OnionCryptoException)
            {
                await console.Error.WriteLineAsync($"torbalancer onion inspect: {failure.Message}");
                return ExitCodes.Failed;
            }
        });
        return command;
    }

    private static async Task<int> RunAsync(InspectRequest request, TextWriter output, CancellationToken cancellationToken)
    {
        bool isFile = request.Subject == "-" || File.Exists(request.Subject);
        string? error;
        if (!isFile)
        {
            return OnionServiceAddress.TryParse(request.Subject, out var subject, out error)
                ? await InspectAsync(subject, request, output, cancellationToken)
                : throw new InspectException($"{request.Subject} is no file, and no onion address ({error})", isUsage: true);
        }

        if (request.AllDirectories || request.ControlPort is not null)
            throw new InspectException("--directories and --control-port go with an address, not with a file", isUsage: true);
        OnionServiceAddress? address = null;
        if (request.Address is { } named)
        {
            if (!OnionServiceAddress.TryParse(named, out var parsed, out error))
                throw new InspectException($"--address {named}: {error}", isUsage: true);
            address = parsed;
        }

        string text = await ReadAsync(request.Subject, cancellationToken);
        var now = TimeProvider.System.GetUtcNow();
        var report = DescriptorInspector.Inspect(text, address, PeriodCandidates.Around(now), UsualMaxSize, now);
        return await ShowAsync(new InspectionView(report, null, null), request.IsJson, output);
    }

    private static async Task<int> InspectAsync(
        OnionServiceAddress address, InspectRequest request, TextWriter output, CancellationToken cancellationToken)
    {
        if (request.Address is not null)
            throw new InspectException("--address goes with a file", isUsage: true);
        await using var control = await ControlConnection.ConnectAsync(
            EndPointOf(request.ControlPort), ControlCredentials.None, TorNetwork.Limits, NullLogger.Instance,
            TimeProvider.System, cancellationToken);
        using var source = await DescriptorSource.OpenAsync(control, FetchLimit, TimeProvider.System, cancellationToken);
        var (consensus, isTesting, error) = await source.ReadNetworkAsync(cancellationToken);
        if (consensus is null)
            throw new InspectException($"this tor does not know the network well enough: {error}");
        var schedule = new PeriodSchedule(consensus, isTesting);
        var inspection = new DescriptorInspection(source, address, consensus, schedule);
        if (request.AllDirectories)
        {
            var directories = await inspection.OfDirectoriesAsync(TimeProvider.System, cancellationToken);
            return await ShowAsync(new InspectionView(null, null, directories), request.IsJson, output);
        }

        var (report, directory, failure) = await inspection.OfOneAsync(Attempts, TimeProvider.System, cancellationToken);
        return report is null
            ? throw new InspectException($"there is no descriptor of {address} to show: {Meaning(failure)}")
            : await ShowAsync(new InspectionView(report, directory, null), request.IsJson, output);
    }

    // Tor's words, as HS_DESC FAILED has them (control-spec, 4.1.25).
    private static string Meaning(string? failure) => failure switch
    {
        "NOT_FOUND" => "no directory has one: the service is not published, or its clock or this tor's is wrong",
        "BAD_DESC" => "tor refuses the one that it got (BAD_DESC), as every client does: more than 20 introduction points, for example",
        "QUERY_NO_HSDIR" => "tor has asked all directories a short while ago; they are asked again in 15 minutes",
        "QUERY_RATE_LIMITED" => "tor is asked too often for now (QUERY_RATE_LIMITED)",
        null => "no directory answered",
        _ => failure,
    };

    private static async Task<int> ShowAsync(InspectionView view, bool isJson, TextWriter output)
    {
        await (isJson
            ? output.WriteLineAsync(JsonSerializer.Serialize(view, OnionJson.Instance.InspectionView))
            : output.WriteAsync(OnionReportText.Of(view)));
        bool isFine = view.Descriptor is { Problems.Count: 0 } || view.Directories is { Problems.Count: 0 };
        return isFine ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static async Task<string> ReadAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            using var file = path == "-" ? Console.OpenStandardInput() : File.OpenRead(path);
            using var reader = new StreamReader(file, Encoding.Latin1);
            char[] buffer = new char[LongestFile + 1];
            int length = await reader.ReadBlockAsync(buffer, cancellationToken);
            return length <= LongestFile
                ? new string(buffer, 0, length).ReplaceLineEndings("\n")
                : throw new InspectException(string.Create(CultureInfo.InvariantCulture, $"{path} is longer than {LongestFile} bytes"));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InspectException($"cannot read {path}: {failure.Message}");
        }
    }

    private static EndPoint EndPointOf(string? text) => ControlPortText.TryParse(text ?? "unix:/run/tor/control", out var endPoint)
        ? endPoint
        : throw new InspectException($"--control-port {text} is neither IP:PORT nor unix:PATH", isUsage: true);

    /// <summary>What was asked for.</summary>
    private sealed record InspectRequest(string Subject, string? Address, string? ControlPort, bool AllDirectories, bool IsJson);

    /// <summary>Nothing could be shown; the message is for the user.</summary>
    private sealed class InspectException(string message, bool isUsage = false) : Exception(message)
    {
        /// <summary>True when the command line is at fault.</summary>
        public bool IsUsage => isUsage;
    }
}
