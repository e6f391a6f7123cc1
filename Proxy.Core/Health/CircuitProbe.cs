using System.Net.Security;
using System.Security.Authentication;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.TorControl.Warm;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>What a canary said.</summary>
/// <param name="Works">The worker carried a stream to its end.</param>
/// <param name="Cause">The worker's answer, when it opened no stream.</param>
internal readonly record struct CanaryResult(bool Works, FailureCause Cause, string Detail);

/// <summary>
/// Fetches a canary through a worker, on circuits that no client shares: each probe brings an isolation token of its own,
/// so a new circuit is asked for every time.
/// </summary>
/// <param name="isolates">
/// False: clients' connections bring no token unless a session asks for it, so a worker that takes none is no failure.
/// </param>
internal sealed class CircuitProbe(WorkerDialer dialer, TimeProvider time, LinkDialer? links = null, Live<bool>? isolates = null)
{
    private const int HttpPort = 80, HttpsPort = 443;

    /// <summary>
    /// The same over the worker's WireGuard link. A stream that ends without a byte does not work there: a TransPort takes
    /// every connection, so being connected says nothing, and it gives no reasons.
    /// </summary>
    public async Task<CanaryResult> RunOverLinkAsync(WorkerModel worker, Canary canary, TimeSpan limit, CancellationToken cancellationToken)
    {
        var token = new IsolationToken(ProbeToken.Create());
        var dial = await links!.DialAsync(worker, canary.Target, token, limit, cancellationToken);
        OwnLack.ThrowIf(dial.Error);
        if (dial.Connection is not { } connection)
            return new CanaryResult(WasReached(dial.Error.Cause), dial.Error.Cause, $"{canary.Target} over the link: {dial.Error}");
        var counters = new TunnelCounters();
        var result = await FetchWithinAsync(connection, canary, counters, limit, cancellationToken);
        return canary.Path is not null && counters.FromUpstream == 0
            ? new CanaryResult(false, FailureCause.NoFirstByte, $"{canary.Target} over the link: connected, and not one byte came back")
            : result with { Detail = $"{result.Detail}, over the link" };
    }

    /// <param name="limit">For being connected, and once more for the answer.</param>
    public async Task<CanaryResult> RunAsync(WorkerModel worker, Canary canary, TimeSpan limit, CancellationToken cancellationToken)
    {
        var token = new IsolationToken(ProbeToken.Create());
        var dial = await dialer.DialAsync(worker, ProxyCommand.Connect, canary.Target, token, limit, cancellationToken);

        // A server that knows no user and password says so, or closes (ssh -D).
        if (isolates is { Value: false } && dial.Error.Cause.Info().MayRefuseToken)
            dial = await dialer.DialAsync(worker, ProxyCommand.Connect, canary.Target, IsolationToken.None, limit, cancellationToken);
        OwnLack.ThrowIf(dial.Error);
        var asked = worker.IsTor ? canary : canary with { WantsIsTor = false };
        return dial.Connection is { } connection
            ? await FetchWithinAsync(connection, asked, new TunnelCounters(), limit, cancellationToken)
            : new CanaryResult(WasReached(dial.Error.Cause), dial.Error.Cause, $"{canary.Target}: {dial.Error}");
    }

    /// <summary>
    /// That the canary itself is closed, unknown or not allowed was found out at the far end of a circuit: the circuit works.
    /// The canary is somebody else's machine; that it is down must never take a worker out of service.
    /// </summary>
    private static bool WasReached(FailureCause cause) => cause.Info().Circuit == CircuitEvidence.Works;

    private async Task<CanaryResult> FetchWithinAsync(
        TransportConnection connection, Canary canary, TunnelCounters counters, TimeSpan limit, CancellationToken cancellationToken)
    {
        await using (connection)
        {
            if (canary.Path is null)
                return new CanaryResult(true, FailureCause.None, $"connected to {canary.Target}");
            using var timer = new CancellationTokenSource(limit, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
            try
            {
                return await FetchAsync(connection, canary, counters, both.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return new CanaryResult(false, FailureCause.TargetTimeout, $"{canary.Target}: connected, and no answer in time");
            }
            catch (Exception failure) when (failure is IOException or AuthenticationException)
            {
                // The stream was open: what ended it, or what did not speak TLS, stands at its far end.
                return new CanaryResult(true, FailureCause.TargetClosed, $"{canary.Target}: reached, but {failure.Message}");
            }
        }
    }

    private static async Task<CanaryResult> FetchAsync(
        TransportConnection connection, Canary canary, TunnelCounters counters, CancellationToken cancellationToken)
    {
        Stream stream = new TransportConnectionStream(connection, counters);
        await using var _ = stream;
        if (canary.IsTls)
        {
            var tls = new SslStream(stream, leaveInnerStreamOpen: true);
            stream = tls;
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = canary.Target.Host }, cancellationToken);
        }

        await using var __ = stream;
        byte[] request = HttpHeadWriter.Get(canary.Target, canary.IsTls ? HttpsPort : HttpPort, canary.Path!);
        await stream.WriteAsync(request, cancellationToken);
        var answer = await CanaryAnswer.ReadAsync(stream, canary.WantsIsTor, cancellationToken);
        if (answer.StatusLine is not { } status)
            return new CanaryResult(true, FailureCause.TargetProtocol, $"{canary.Target}: reached, but what came back is not HTTP");
        if (!canary.WantsIsTor)
            return new CanaryResult(true, FailureCause.None, $"{canary.Target}: {status}");
        return answer.IsTor switch
        {
            true => new CanaryResult(true, FailureCause.None, $"{canary.Target}: IsTor, {status}"),
            false => new CanaryResult(false, FailureCause.TargetProtocol, $"{canary.Target}: not IsTor, {status}"),
            null => new CanaryResult(true, FailureCause.TargetProtocol, $"{canary.Target}: reached, but it does not say IsTor, {status}"),
        };
    }
}
