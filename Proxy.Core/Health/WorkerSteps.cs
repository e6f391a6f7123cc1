using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>The steps of a probe that use the worker as connections do, without their limits.</summary>
/// <param name="links">null: no connection takes a link.</param>
/// <param name="takesLinks">Whether any connection takes a link now; null: they do.</param>
/// <param name="pipelining">null: nobody finds out whether workers read on behind a greeting.</param>
internal sealed class WorkerSteps(
    ITransport transport, CircuitProbe circuit, Live<HealthOptions> options, LinkSteps? links = null, SocksPipelining? pipelining = null,
    Live<bool>? takesLinks = null)
{
    /// <summary>A worker that comes back may be another program than before.</summary>
    public void Recovers(WorkerModel worker) => pipelining?.Forget(worker);

    /// <summary>The host is up: its SSH port takes a connection.</summary>
    public async Task<(ProbeStepResult Result, string Detail)> HostAsync(
        WorkerModel worker, WorkerHost host, CancellationToken cancellationToken, StepProof? proof = null)
    {
        if (host.Ssh is not { } ssh)
            return (ProbeStepResult.Skipped, "no SshPort is configured");
        var result = await transport.ConnectAsync(worker.RequestTo(ssh), cancellationToken);
        OwnLack.ThrowIf(result.Error);
        if (result.Connection is null)
        {
            // One that refuses is up; that its SSH does not run says nothing of the worker's process.
            var error = GoneProofs.FromConnect(result.Error);
            if (proof is not null && error != GoneProof.Refused)
                proof.Value = error;
            return (ProbeStepResult.Failed, $"{ssh}: {result.Error}");
        }

        await result.Connection.DisposeAsync();
        return (ProbeStepResult.Passed, $"{ssh} took the connection");
    }

    /// <summary>
    /// A real greeting: 05 01 00 is answered by 05 00 (RFC 1928, section 3). Tor then waits for a request; we leave. Of a worker of
    /// which that is not known it is found out at once whether it reads on behind the greeting, before any client has to wait for it.
    /// </summary>
    public async Task<(ProbeStepResult Result, string Detail)> SocksAsync(
        WorkerModel worker, CancellationToken cancellationToken, StepProof? proof = null)
    {
        var greeted = await GreetAsync(worker, proof, cancellationToken);
        if (greeted.Result != ProbeStepResult.Passed || pipelining is null)
            return greeted;

        // Also of one that was found to read one message at a time: once in a while it is asked again.
        bool isOneAtATime = pipelining.Of(worker) != true && await pipelining.CheckAsync(worker, cancellationToken) == false;
        return isOneAtATime ? (greeted.Result, $"{greeted.Detail}, one message at a time") : greeted;
    }

    private async Task<(ProbeStepResult Result, string Detail)> GreetAsync(
        WorkerModel worker, StepProof? proof, CancellationToken cancellationToken)
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

    private bool TakesLinks => links is not null && takesLinks is null or { Value: true };

    /// <summary>True when connections take this worker's link, so that its canaries take it too.</summary>
    public bool UsesLink(WorkerModel worker) => TakesLinks && worker.Link is not null;

    public Task<(ProbeStepResult Result, string Detail)> LinkAsync(
        WorkerModel worker, CancellationToken cancellationToken, StepProof? proof = null) =>
        !TakesLinks || links is null
            ? Task.FromResult((ProbeStepResult.Skipped, "no connection takes a link"))
            : links.LinkAsync(worker, cancellationToken, proof);

    /// <summary>
    /// With a link the canary is fetched over it; its name is resolved at the SocksPort, so one fetch shows both. When that
    /// fails the same canary by SOCKS says whose fault it was, because a link gives no reasons.
    /// </summary>
    public async Task<CanaryResult> CanaryAsync(WorkerModel worker, Canary canary, CancellationToken cancellationToken)
    {
        if (!UsesLink(worker) || canary.Target.IsOnion)
            return await circuit.RunAsync(worker, canary, options.Value.ProbeTimeout, cancellationToken);
        var link = await circuit.RunOverLinkAsync(worker, canary, options.Value.ProbeTimeout, cancellationToken);
        if (link.Works || link.Cause.Info().Evidence == FailureEvidence.Full)
            return link;
        var socks = await circuit.RunAsync(worker, canary, options.Value.ProbeTimeout, cancellationToken);
        return socks is { Works: true, Cause: FailureCause.None } ? link with { Detail = $"{link.Detail} (by SOCKS it answers)" } : socks;
    }

    private static async ValueTask<(ParseStatus Status, byte Version, byte Method)> ReadAnswerAsync(
        TransportConnection connection, CancellationToken cancellationToken)
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
