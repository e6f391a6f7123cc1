using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
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
/// <param name="isolates">False: clients' connections bring no token unless a session asks for it, so a worker that takes none is no failure.</param>
internal sealed class CircuitProbe(WorkerDialer dialer, TimeProvider time, LinkDialer? links = null, bool isolates = true)
{
    private const int LongestAnswer = 16 * 1024;

    /// <summary>
    /// The same over the worker's WireGuard link. A stream that ends without a byte does not work there: a TransPort takes
    /// every connection, so being connected says nothing, and it gives no reasons.
    /// </summary>
    public async Task<CanaryResult> RunOverLinkAsync(WorkerModel worker, Canary canary, TimeSpan limit, CancellationToken cancellationToken)
    {
        var token = new IsolationToken(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
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
        var token = new IsolationToken(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        var dial = await dialer.DialAsync(worker, ProxyCommand.Connect, canary.Target, token, limit, cancellationToken);

        // A server that knows no user and password says so, or closes (ssh -D).
        if (!isolates && dial.Error.Cause is (FailureCause.WorkerAuthRejected or FailureCause.WorkerClosed))
            dial = await dialer.DialAsync(worker, ProxyCommand.Connect, canary.Target, IsolationToken.None, limit, cancellationToken);
        OwnLack.ThrowIf(dial.Error);
        return dial.Connection is { } connection
            ? await FetchWithinAsync(connection, worker.IsTor ? canary : canary with { WantsIsTor = false }, new TunnelCounters(), limit, cancellationToken)
            : new CanaryResult(WasReached(dial.Error.Cause), dial.Error.Cause, $"{canary.Target}: {dial.Error}");
    }

    /// <summary>
    /// That the canary itself is closed, unknown or not allowed was found out at the far end of a circuit: the circuit works.
    /// The canary is somebody else's machine; that it is down must never take a worker out of service.
    /// </summary>
    private static bool WasReached(FailureCause cause) =>
        cause is FailureCause.ConnectionRefused or FailureCause.HostUnreachable or FailureCause.ExitPolicy
            or FailureCause.OnionNotFound or FailureCause.OnionDescriptorInvalid or FailureCause.OnionAuthMissing or FailureCause.OnionAuthWrong;

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

    private static async Task<CanaryResult> FetchAsync(TransportConnection connection, Canary canary, TunnelCounters counters, CancellationToken cancellationToken)
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
        string request = $"GET {canary.Path} HTTP/1.1\r\nHost: {canary.Target.ToAuthority(canary.IsTls ? 443 : 80)}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), cancellationToken);
        string answer = await ReadAsync(stream, canary.WantsIsTor, cancellationToken);
        if (!answer.StartsWith("HTTP/1.", StringComparison.Ordinal))
            return new CanaryResult(true, FailureCause.TargetProtocol, $"{canary.Target}: reached, but what came back is not HTTP");
        string status = answer.Split('\r', 2)[0];
        if (!canary.WantsIsTor)
            return new CanaryResult(true, FailureCause.None, $"{canary.Target}: {status}");
        if (!answer.Contains("\"IsTor\":", StringComparison.Ordinal))
            return new CanaryResult(true, FailureCause.TargetProtocol, $"{canary.Target}: reached, but it does not say IsTor, {status}");
        bool isTor = answer.Contains("\"IsTor\":true", StringComparison.Ordinal);
        return new CanaryResult(isTor, isTor ? FailureCause.None : FailureCause.TargetProtocol, $"{canary.Target}: {(isTor ? "IsTor" : "not IsTor")}, {status}");
    }

    /// <summary>The status line, or all of it (bounded) when the body is asked for.</summary>
    private static async Task<string> ReadAsync(Stream stream, bool wantsBody, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[LongestAnswer];
        int length = 0, count;
        while (length < buffer.Length && (count = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken)) > 0)
        {
            length += count;
            bool whole = wantsBody ? buffer.AsSpan(0, length).IndexOf("}"u8) >= 0 : buffer.AsSpan(0, length).IndexOf((byte)'\n') >= 0;
            if (whole)
                break;
        }

        return Encoding.Latin1.GetString(buffer, 0, length);
    }
}
