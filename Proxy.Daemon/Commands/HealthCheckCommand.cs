using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Processes;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// <c>torbalancer healthcheck</c>: asks the daemon that runs with this configuration whether a connection would be carried now. For
/// a container's HEALTHCHECK and for scripts.
/// </summary>
internal static class HealthCheckCommand
{
    private const string NotOurs = "what answers is not the admin API of this program";

    private const string ServiceSocket = "/run/torbalancer/admin.sock";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var command = new Command(
            "healthcheck", "Ask the running daemon whether a worker may carry connections; exit status 0: yes, 1: no, or no answer.");
        var admin = DaemonArguments.AdminOption();
        command.Options.Add(admin);
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            if (parsed.GetValue(admin) is { } named)
            {
                try
                {
                    return await TellAsync([DaemonArguments.Named(named)], null, output, error, cancellationToken);
                }
                catch (DaemonException failure)
                {
                    await error.WriteLineAsync($"torbalancer healthcheck: {failure.Message}");
                    return failure.Code;
                }
            }

            var result = arguments.Load(parsed, ConfigurationParts.Proxy);
            foreach (var issue in result.Errors)
                await error.WriteLineAsync(issue.ToString());
            if (!result.IsValid)
                return result.HasUsageErrors ? ExitCodes.Usage : ExitCodes.Failed;
            var places = Places(result.Options.Admin, Environment.GetEnvironmentVariable, ProcessSignals.UserId);
            return await TellAsync(places, result.Options.Admin, output, error, cancellationToken);
        });
        return command;
    }

    private static async Task<int> TellAsync(
        IReadOnlyList<EndPoint> places, AdminOptions? admin, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        var (isReady, text) = await AskAsync(places, admin, cancellationToken);
        await (isReady ? output : error).WriteLineAsync(isReady ? text : $"torbalancer healthcheck: {text}");
        return isReady ? ExitCodes.Done : ExitCodes.Failed;
    }

    /// <summary>
    /// Where a daemon with this configuration may answer, the surest first: a socket is one daemon's, while the default address may be
    /// another's. One that was not configured by name must exist.
    /// </summary>
    internal static IReadOnlyList<EndPoint> Places(AdminOptions admin, Func<string, string?> environment, uint userId)
    {
        var places = new List<EndPoint>();
        if (AdminSocket.Resolve(admin.Socket, environment, userId) is { } socket && (admin.Socket != "auto" || File.Exists(socket)))
            places.Add(new UnixDomainSocketEndPoint(socket));
        else if (admin.Socket == "auto" && File.Exists(ServiceSocket))
            places.Add(new UnixDomainSocketEndPoint(ServiceSocket));
        if (admin.Address is { } address)
            places.Add(address);
        return places;
    }

    /// <summary>The answer of the first that gives one.</summary>
    internal static async Task<(bool IsReady, string Text)> AskAsync(
        IReadOnlyList<EndPoint> places, AdminOptions? admin, CancellationToken cancellationToken)
    {
        if (places.Count == 0)
            return (false, "there is nothing to ask: [Admin] Address is none and there is no socket");
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(Limit);
        var failures = new List<string>();
        foreach (var place in places)
        {
            try
            {
                string? certificate = place is IPEndPoint ? admin?.Tls?.Certificate : null;
                using var client = new AdminClient(
                    place, DaemonArguments.TokenOfEnvironment ?? DaemonArguments.TokenOf(admin), certificate);
                using var health = await client.SendAsync(HttpMethod.Get, "/api/v1/health", body: null, timer.Token);
                return health.Status switch
                {
                    HttpStatusCode.OK => Judge(health.Body.RootElement),
                    HttpStatusCode.Unauthorized => (false, $"the daemon at {place} asks for a token: --config FILE names the configuration "
                        + $"that has it, or {ConfigurationOverrides.TokenVariable} holds it"),
                    _ => (false, $"the daemon at {place} answered with status {(int)health.Status}"),
                };
            }
            catch (Exception failure) when (failure is InvalidOperationException or KeyNotFoundException or FormatException)
            {
                // Other JSON, or values of other kinds than ours.
                return (false, NotOurs);
            }
            catch (AdminClientException failure)
            {
                failures.Add($"{place}: {failure.Message}");
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                failures.Add(string.Create(CultureInfo.InvariantCulture, $"{place}: no answer within {Limit.TotalSeconds:0} s"));
                break;
            }
        }

        return (false, $"no daemon answers ({string.Join("; ", failures)})");
    }

    /// <summary>What the daemon says of itself; where no worker may carry connections, with what each says.</summary>
    private static (bool IsReady, string Text) Judge(JsonElement health)
    {
        if (!health.TryGetProperty("ready", out var ready) || !health.TryGetProperty("stage", out var stage)
            || !health.TryGetProperty("summary", out var summary) || !health.TryGetProperty("workers", out var workers))
            return (false, NotOurs);
        var why = new StringBuilder(summary.GetString());
        bool isReady = ready.GetBoolean();
        if (isReady || stage.GetString() != ServingStage.Serving.Word())
            return (isReady, Printable.Of(why.ToString()));
        foreach (var worker in workers.EnumerateObject())
        {
            string administrative = worker.Value.GetProperty("administrative").GetString()!;
            why.Append(CultureInfo.InvariantCulture, $"; {worker.Name} {worker.Value.GetProperty("state").GetString()}");
            if (administrative != "enabled")
                why.Append(CultureInfo.InvariantCulture, $" ({administrative})");
            if (worker.Value.TryGetProperty("reason", out var reason))
                why.Append(CultureInfo.InvariantCulture, $": {reason.GetString()}");
        }

        return (false, Printable.Of(why.ToString()));
    }
}
