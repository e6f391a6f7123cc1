using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>The steps of a probe that go by what tor says through its control port, without their limits.</summary>
internal sealed class ControlSteps(ITorFacts facts, Live<HealthOptions> options, TimeProvider time, ILogger<ControlSteps> logger)
{
    /// <summary>
    /// What is known already and costs nothing: a tor that finds no path for its circuits is of no use, whatever it says of
    /// itself (its circuit-established stays 1, measured on 0.4.9). No canary need wait for its time to be over.
    /// </summary>
    public (ProbeStepResult Result, string Detail) Paths(WorkerModel worker)
    {
        if (worker.ControlEndPoint is null)
            return (ProbeStepResult.Skipped, "no ControlPort is configured");
        if (facts.FactsOf(worker.Id) is not { IsConnected: true, Paths: var paths })
            return (ProbeStepResult.Skipped, "its circuits are not watched now");
        return paths.IsLost
            ? (ProbeStepResult.Failed, $"no path was found for {paths.NotFound} of its latest {paths.Sought} circuits")
            : (ProbeStepResult.Passed, $"{paths.Sought - paths.NotFound} of its latest {paths.Sought} circuits found a path");
    }

    /// <summary>What tor itself says: it is through its start, and it sees its network.</summary>
    public async Task<(ProbeStepResult Result, string Detail)> ControlAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        if (worker.ControlEndPoint is not { } address)
            return (ProbeStepResult.Skipped, "no ControlPort is configured");
        try
        {
            var limit = options.Value.StepTimeout;
            var limits = new ControlConnectionOptions
            {
                ConnectTimeout = limit,
                CommandTimeout = limit,
                Binding = worker.RequestTo(address).Binding,
            };
            var credentials = new ControlCredentials(worker.ControlCookie, worker.ControlPassword);
            await using var control = await ControlConnection.ConnectAsync(address, credentials, limits, logger, time, cancellationToken);
            var values = await control.GetInfoAsync(["status/bootstrap-phase", "network-liveness"], cancellationToken);
            var bootstrap = BootstrapStatus.Parse(values[0]) ?? BootstrapStatus.None;
            if (!bootstrap.IsDone)
                return (ProbeStepResult.Failed, $"its start is at {bootstrap.Progress} %: {bootstrap.Summary}");
            return values[1].Equals("up", StringComparison.OrdinalIgnoreCase)
                ? (ProbeStepResult.Passed, "started, network up")
                : (ProbeStepResult.Failed, $"it says that its network is {values[1]}");
        }
        catch (Exception failure) when (!OwnLack.Is(failure) && failure is (IOException or TimeoutException
            or ControlAuthenticationException or ControlProtocolException or ControlReplyException))
        {
            return (ProbeStepResult.Failed, failure.Message);
        }
    }
}
