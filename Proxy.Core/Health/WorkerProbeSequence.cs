using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Health.Commands;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// host, link, socks, paths, circuit, onion, control: each step with a limit of its own, each reported. The first that fails ends the
/// sequence, the others are skipped; in recovery ReconnectCommand runs once after a failed host, link or socks, which is then
/// tried again.
/// </summary>
internal sealed partial class WorkerProbeSequence(
    WorkerHosts hosts, WorkerSteps steps, ControlSteps control, CommandRunner commands, Live<HealthOptions> options, TimeProvider time,
    ILogger<WorkerProbeSequence> logger) : IProbeSequence
{
    private readonly Live<Plan> _plan = options.Select(static health => new Plan(health));
    private int _next = -1;

    private delegate Task<(ProbeStepResult Result, string Detail)> Step(CancellationToken cancellationToken);

    public async Task<ProbeReport> RunAsync(WorkerState worker, bool inRecovery, CancellationToken cancellationToken)
    {
        var (limits, canaries, onion) = _plan.Value;
        var host = hosts.Of(worker.Id);
        var proof = new StepProof();
        var run = new Run(time, proof);
        bool mayReconnect = inRecovery && host.ReconnectCommand.Length > 0;
        bool goesOn = true;
        if (inRecovery)
            steps.Recovers(worker.Model);

        await MakeAsync(ProbeSteps.Host, limits.StepTimeout, token => steps.HostAsync(worker.Model, host, token, proof));
        await MakeAsync(ProbeSteps.Link, limits.StepTimeout, token => steps.LinkAsync(worker.Model, token, proof));
        await MakeAsync(ProbeSteps.Socks, limits.StepTimeout, token => steps.SocksAsync(worker.Model, token, proof));
        await MakeAsync(ProbeSteps.Paths, limits.StepTimeout, _ => Task.FromResult(control.Paths(worker.Model)));
        int fetches = (steps.UsesLink(worker.Model) ? 4 : 2) * canaries.Length;
        await MakeAsync(ProbeSteps.Circuit, limits.ProbeTimeout * fetches, token => CircuitAsync(worker.Model, canaries, token));
        await MakeAsync(ProbeSteps.Onion, limits.ProbeTimeout * 2, token => OnionAsync(worker.Model, onion, token));
        await MakeAsync(ProbeSteps.Control, limits.StepTimeout, token => control.ControlAsync(worker.Model, token));
        return run.Report();

        async Task MakeAsync(string name, TimeSpan limit, Step step)
        {
            if (!goesOn)
            {
                run.Skip(name, "a step before it failed");
                return;
            }

            var made = await run.MakeAsync(name, limit, step, cancellationToken);
            if (made.Result == ProbeStepResult.Failed && mayReconnect && MendedByReconnect(name, worker.Model))
            {
                mayReconnect = false;
                run.Withdraw(made);
                var longest = limits.ReconnectTimeout + limits.StepTimeout;
                await run.MakeAsync(ProbeSteps.Reconnect, longest, token => ReconnectAsync(worker, host, token), cancellationToken);
                made = await run.MakeAsync(name, limit, step, cancellationToken);
            }

            goesOn = made.Result != ProbeStepResult.Failed && !made.IsOurLack;
        }
    }

    /// <summary>A link that is up at this end and carries nothing shows in the circuit only.</summary>
    private bool MendedByReconnect(string step, WorkerModel worker) =>
        step is ProbeSteps.Host or ProbeSteps.Link or ProbeSteps.Socks || (step == ProbeSteps.Circuit && steps.UsesLink(worker));

    /// <summary>
    /// One canary; when it fails in a way that may be its own fault, the next. One that works is enough: they are
    /// strangers, and the worker answers only for itself.
    /// </summary>
    private async Task<(ProbeStepResult Result, string Detail)> CircuitAsync(
        WorkerModel worker, Canary[] canaries, CancellationToken cancellationToken)
    {
        int first = (int)((uint)Interlocked.Increment(ref _next) % (uint)canaries.Length);
        var failures = new List<string>();
        for (int i = 0; i < canaries.Length; i++)
        {
            var result = await steps.CanaryAsync(worker, canaries[(first + i) % canaries.Length], cancellationToken);
            if (result.Works)
                return (ProbeStepResult.Passed, result.Detail);
            failures.Add(result.Detail);
        }

        return (ProbeStepResult.Failed, string.Join("; ", failures));
    }

    private async Task<(ProbeStepResult Result, string Detail)> OnionAsync(
        WorkerModel worker, Canary? configured, CancellationToken cancellationToken)
    {
        if (configured is not { } onion)
            return (ProbeStepResult.Skipped, "no OnionCanary is configured");
        var result = await steps.CanaryAsync(worker, onion, cancellationToken);
        if (result.Works)
            return (ProbeStepResult.Passed, result.Detail);

        // A circuit was built a moment ago. Unless the worker itself gave up, it is the service that is not there.
        return result.Cause.Info().Circuit == CircuitEvidence.Fails
            ? (ProbeStepResult.Failed, result.Detail)
            : (ProbeStepResult.Passed, $"the service did not answer, which does not count: {result.Detail}");
    }

    /// <summary>Never fails the sequence by itself: what it was to bring back is tried again and says whether it is back.</summary>
    private async Task<(ProbeStepResult Result, string Detail)> ReconnectAsync(
        WorkerState worker, WorkerHost host, CancellationToken cancellationToken)
    {
        var result = await commands.RunAsync(
            host.ReconnectCommand, [new("TORBALANCER_WORKER", worker.Id)], options.Value.ReconnectTimeout, cancellationToken);
        if (result.ExitCode == 0)
            Log.ReconnectDone(logger, worker.Id, result.Output);
        else
            Log.ReconnectFailed(logger, worker.Id, result.ExitCode, result.Output);
        return (ProbeStepResult.Passed, $"exit code {(result.ExitCode is { } code ? code : "none")}: {result.Output}");
    }

    /// <summary>What one sequence goes by from its beginning to its end.</summary>
    private sealed record Plan(HealthOptions Limits, Canary[] Canaries, Canary? Onion)
    {
        public Plan(HealthOptions options)
            : this(
                options, [.. options.Canary.Select(Canary.Parse)],
                options.OnionCanary.Length > 0 ? Canary.Parse(options.OnionCanary) : null)
        {
        }
    }

    /// <summary>One sequence under way.</summary>
    private sealed class Run(TimeProvider time, StepProof proof)
    {
        private readonly List<ProbeStep> _steps = [];

        public async Task<ProbeStep> MakeAsync(string name, TimeSpan limit, Step step, CancellationToken cancellationToken)
        {
            using var timer = new CancellationTokenSource(limit, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
            (ProbeStepResult Result, string Detail) outcome;
            bool isOurLack = false;
            proof.Value = GoneProof.None;
            try
            {
                outcome = await step(both.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                outcome = (ProbeStepResult.Failed, "no answer in time");
            }
            catch (Exception failure) when (OwnLack.Is(failure))
            {
                (outcome, isOurLack) = ((ProbeStepResult.Skipped, failure.Message), true);
            }

            var made = new ProbeStep(name, outcome.Result, outcome.Detail) { Proof = proof.Value, IsOurLack = isOurLack };
            _steps.Add(made);
            return made;
        }

        public void Skip(string name, string why) => _steps.Add(new ProbeStep(name, ProbeStepResult.Skipped, why));

        /// <summary>A step that is made again does not count as failed.</summary>
        public void Withdraw(ProbeStep step)
        {
            _steps.Remove(step);
            _steps.Add(step with { Result = ProbeStepResult.Skipped, Detail = $"{step.Detail}; tried again below" });
        }

        public ProbeReport Report() => new(_steps);
    }

    private static partial class Log
    {
        [LoggerMessage(HealthEventIds.ReconnectDone, LogLevel.Information, "Worker {Worker}: its ReconnectCommand ended well: {Output}")]
        public static partial void ReconnectDone(ILogger logger, string worker, string output);

        [LoggerMessage(
            HealthEventIds.ReconnectFailed, LogLevel.Warning,
            "Worker {Worker}: its ReconnectCommand failed (exit code {ExitCode}): {Output}")]
        public static partial void ReconnectFailed(ILogger logger, string worker, int? exitCode, string output);
    }
}
