using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>The steps of a probe, without their limits.</summary>
internal sealed class WorkerSteps(
    ITransport transport, CircuitProbe circuit, ITorFacts facts, HealthOptions options, TimeProvider time, ILogger<WorkerSteps> logger, LinkSteps? links = null,
    SocksPipelining? pipelining = null)
{
    /// <summary>A worker that comes back may be another program than before.</summary>
    public void Recovers(WorkerModel worker) => pipelining?.Forget(worker);

    /// <summary>The host is up: its SSH port takes a connection.</summary>
    public async Task<(ProbeStepResult Result, string Detail)> HostAsync(WorkerModel worker, WorkerLink link, CancellationToken cancellationToken, StepProof? proof = null)
    {
        if (link.Host is not { } host)
            return (ProbeStepResult.Skipped, "no SshPort is configured");
        var result = await transport.ConnectAsync(worker.RequestTo(host), cancellationToken);
        OwnLack.ThrowIf(result.Error);
        if (result.Connection is null)
        {
            // One that refuses is up; that its SSH does not run says nothing of the worker's process.
            var error = GoneProofs.FromConnect(result.Error);
            if (proof is not null && error != GoneProof.Refused)
                proof.Value = error;
            return (ProbeStepResult.Failed, $"{host}: {result.Error}");
        }

        await result.Connection.DisposeAsync();
        return (ProbeStepResult.Passed, $"{host} took the connection");
    }

    /// <summary>
    /// A real greeting: 05 01 00 is answered by 05 00 (RFC 1928, section 3). Tor then waits for a request; we leave. Of a worker of
    /// which that is not known it is found out at once whether it reads on behind the greeting, before any client has to wait for it.
    /// </summary>
    public async Task<(ProbeStepResult Result, string Detail)> SocksAsync(WorkerModel worker, CancellationToken cancellationToken, StepProof? proof = null)
    {
        var greeted = await GreetAsync(worker, proof, cancellationToken);
        if (greeted.Result != ProbeStepResult.Passed || pipelining is null)
            return greeted;

        // Also of one that was found to read one message at a time: once in a while it is asked again.
        bool isOneAtATime = pipelining.Of(worker) != true && await pipelining.CheckAsync(worker, cancellationToken) == false;
        return isOneAtATime ? (greeted.Result, $"{greeted.Detail}, one message at a time") : greeted;
    }

    private async Task<(ProbeStepResult Result, string Detail)> GreetAsync(WorkerModel worker, StepProof? proof, CancellationToken cancellationToken)
    {
        var connected = await transport.ConnectAsync(worker.RequestTo(worker.SocksEndPoint), cancellationToken);
        OwnLack.ThrowIf(connected.Error);
        if (connected.Connection is not { } connection)
        {
            if (proof is not null)
                proof.Value = GoneProofs.FromConnect(connected.Error);
            return (ProbeStepResult.Failed, $"{worker.SocksEndPoint}: {connected.Error}");
        }

        await using (connection)
        {
            try
            {
                await connection.WriteAsync(new byte[] { 5, 1, 0 }, cancellationToken);
                var (status, version, method) = await ReadAnswerAsync(connection, cancellationToken);
                return (status, version, method) switch
                {
                    (ParseStatus.Done, 5, 0) => (ProbeStepResult.Passed, "05 00"),
                    (ParseStatus.Done, 5, _) => (ProbeStepResult.Failed, $"it wants a password (05 {method:X2})"),
                    (ParseStatus.Done, _, _) => (ProbeStepResult.Failed, "it does not speak SOCKS5"),
                    _ => (ProbeStepResult.Failed, "it closed the connection"),
                };
            }
            catch (IOException)
            {
                return (ProbeStepResult.Failed, "it broke the connection");
            }
        }
    }

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

    /// <summary>True when connections take this worker's link, so that its canaries take it too.</summary>
    public bool UsesLink(WorkerModel worker) => links is not null && worker.Link is not null;

    public Task<(ProbeStepResult Result, string Detail)> LinkAsync(WorkerModel worker, CancellationToken cancellationToken, StepProof? proof = null) =>
        links is null ? Task.FromResult((ProbeStepResult.Skipped, "no connection takes a link")) : links.LinkAsync(worker, cancellationToken, proof);

    /// <summary>
    /// With a link the canary is fetched over it; its name is resolved at the SocksPort, so one fetch shows both. When that
    /// fails the same canary by SOCKS says whose fault it was, because a link gives no reasons.
    /// </summary>
    public async Task<CanaryResult> CanaryAsync(WorkerModel worker, Canary canary, CancellationToken cancellationToken)
    {
        if (!UsesLink(worker) || canary.Target.IsOnion)
            return await circuit.RunAsync(worker, canary, options.ProbeTimeout, cancellationToken);
        var link = await circuit.RunOverLinkAsync(worker, canary, options.ProbeTimeout, cancellationToken);
        if (link.Works || link.Cause.Info().Evidence == FailureEvidence.Full)
            return link;
        var socks = await circuit.RunAsync(worker, canary, options.ProbeTimeout, cancellationToken);
        return socks is { Works: true, Cause: FailureCause.None } ? link with { Detail = $"{link.Detail} (by SOCKS it answers)" } : socks;
    }

    /// <summary>What tor itself says: it is through its start, and it sees its network.</summary>
    public async Task<(ProbeStepResult Result, string Detail)> ControlAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        if (worker.ControlEndPoint is not { } address)
            return (ProbeStepResult.Skipped, "no ControlPort is configured");
        try
        {
            var limits = new ControlConnectionOptions { ConnectTimeout = options.StepTimeout, CommandTimeout = options.StepTimeout, Binding = worker.RequestTo(address).Binding };
            await using var control = await ControlConnection.ConnectAsync(address, new ControlCredentials(worker.ControlCookie, worker.ControlPassword), limits, logger, time, cancellationToken);
            var values = await control.GetInfoAsync(["status/bootstrap-phase", "network-liveness"], cancellationToken);
            var bootstrap = BootstrapStatus.Parse(values[0]) ?? BootstrapStatus.None;
            if (!bootstrap.IsDone)
                return (ProbeStepResult.Failed, $"its start is at {bootstrap.Progress} %: {bootstrap.Summary}");
            return values[1].Equals("up", StringComparison.OrdinalIgnoreCase)
                ? (ProbeStepResult.Passed, "started, network up")
                : (ProbeStepResult.Failed, $"it says that its network is {values[1]}");
        }
        catch (Exception failure) when (!OwnLack.Is(failure) && failure is (IOException or TimeoutException or ControlAuthenticationException or ControlProtocolException or ControlReplyException))
        {
            return (ProbeStepResult.Failed, failure.Message);
        }
    }

    private static async ValueTask<(ParseStatus Status, byte Version, byte Method)> ReadAnswerAsync(TransportConnection connection, CancellationToken cancellationToken)
    {
        var (status, pair) = await MessageReader.ReadAsync<(byte Version, byte Method)>(
            connection.Input,
            static (ref System.Buffers.SequenceReader<byte> reader, out (byte Version, byte Method) message) =>
            {
                message = default;
                if (!reader.TryRead(out byte version) || !reader.TryRead(out byte method))
                    return ParseStatus.NeedMore;
                message = (version, method);
                return ParseStatus.Done;
            },
            cancellationToken);
        return (status, pair.Version, pair.Method);
    }
}
