using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Health.Commands;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>The real probe steps and their sequence, over real sockets.</summary>
internal sealed class ProbeBench : IDisposable
{
    public HealthOptions Options { get; } = new()
    {
        Canary = ["canary.example:80"],
        StepTimeout = TimeSpan.FromSeconds(20),
        ProbeTimeout = TimeSpan.FromSeconds(20),
    };

    public FixedFacts Facts { get; } = new();

    public ListLogger Log { get; } = new();

    /// <summary>What probes connect with.</summary>
    public ITransport Transport { get; set; } = new SocketTransport(TimeProvider.System);

    public WorkerSteps Steps
    {
        get
        {
            var time = TimeProvider.System;
            var transport = Transport;
            return new WorkerSteps(transport, new CircuitProbe(new WorkerDialer(transport, new ConnectOptions(), time), time), Options);
        }
    }

    public ControlSteps Control => new(Facts, Options, TimeProvider.System, new Logger<ControlSteps>(Log));

    /// <summary>All steps for that worker.</summary>
    public WorkerProbeSequence Sequence(WorkerOptions worker) => new(
        new WorkerHosts([worker]), Steps, Control, new CommandRunner(TimeProvider.System), Options, TimeProvider.System,
        new Logger<WorkerProbeSequence>(Log));

    public static string Text(ProbeReport report) => string.Join(' ', report.Steps.Select(static step => $"{step.Name}={step.Result}"));

    public void Dispose() => Log.Dispose();

    internal sealed class FixedFacts : ITorFacts
    {
        public WorkerTorFacts? Facts { get; set; }

        public WorkerTorFacts? FactsOf(string workerId) => Facts;
    }
}
