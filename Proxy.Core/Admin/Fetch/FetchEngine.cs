using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Server;
using TorBalancer.Transport;

namespace TorBalancer.Admin.Fetch;

/// <summary>GETs a URL through workers, hop by hop: each redirect is routed, selected and dialled by its own host.</summary>
internal sealed partial class FetchEngine(FetchServices services, ILogger<FetchEngine> logger)
{
    /// <summary>At one time. What they hold in memory has a limit of its own.</summary>
    internal const int MaxActive = 64;

    /// <summary>What a fetch takes besides what it is asked and answered: connection, TLS, buffers. Bytes.</summary>
    private const long Overhead = 256 * 1024;

    /// <summary>
    /// What the head of a request (64 KiB) and of an answer may take: 256 bytes for a field, of which the shortest has four.
    /// </summary>
    private const long MaxHeads = ((64 * 1024) + HttpLimits.HeadBytes) * 64L;

    /// <summary>What one fetch may take.</summary>
    private const long MaxMemory = Overhead + MaxHeads + FetchBody.MaxLength + FetchCodings.MaxMemory;

    private int _active;

    /// <summary>
    /// Fetches; failures are results, which the caller disposes. Throws <see cref="OperationCanceledException"/> only when nobody waits any
    /// more.
    /// </summary>
    public async Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancellationToken)
    {
        var progress = new Progress
        {
            Url = request.Url,
            Target = FetchRequestReader.TargetOf(request.Url).Target,
            Started = services.Time.GetTimestamp(),
        };
        FetchResult result;
        bool hasRoom = services.Descriptors.TryTake(1);
        try
        {
            result = Interlocked.Increment(ref _active) > MaxActive
                ? Fail(progress, new ProxyError(FailureCause.TooManyConnections, $"{MaxActive} fetches are under way"))
                : !hasRoom ? Fail(progress, new ProxyError(FailureCause.OutOfDescriptors, "clients use all that traffic may have"))
                : await RunAsync(request, progress, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _active);
            if (hasRoom)
                services.Descriptors.Return(1);

            // Its caller may have left, and then there is no result that would see to it.
            services.Trim?.Touch();
        }

        if (services.Log.Value.Access)
        {
            Log.Fetched(
                logger, AccessLog.TargetText(progress.Target, services.Log.Value.Targets), result.Worker ?? "-", progress.Attempts,
                progress.Redirects,
                result.StatusCode ?? 0, result.Timing.ConnectMs, result.Timing.TotalMs, result.Error?.Cause ?? FailureCause.None.Word());
        }

        return result with { Trim = services.Trim };
    }

    private async Task<FetchResult> RunAsync(FetchRequest request, Progress progress, CancellationToken cancellationToken)
    {
        var share = services.Memory.Open(MaxMemory);
        bool isHandedOver = false;
        try
        {
            var result = await RunAsync(request, progress, share, cancellationToken);
            isHandedOver = result.Body is not null;
            return result;
        }
        finally
        {
            if (!isHandedOver)
                share.Dispose();
        }
    }

    private async Task<FetchResult> RunAsync(
        FetchRequest request, Progress progress, MemoryShare share, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(request.Timeout, services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        bool withSecrets = true;
        while (true)
        {
            var hop = new FetchHop(request, progress.Url, progress.Target, services);
            Uri? next = null;
            try
            {
                if (share.Held == 0)
                    await share.GrowAsync(Overhead + request.Memory, either.Token);
                using var response = await hop.SendAsync(withSecrets, either.Token);
                next = request.FollowRedirects ? FetchRedirects.Next(progress.Url, (int)response.StatusCode, LocationOf(response)) : null;
                if (next is null)
                {
                    var (body, head) = await ReadAsync(hop, response, share, either.Token);
                    hop.End = TunnelEnd.Finished;
                    progress.Take(hop);
                    return Succeed(progress, response, head, body);
                }

                hop.End = TunnelEnd.Finished;
            }
            catch (OperationCanceledException) when (either.IsCancellationRequested)
            {
                cancellationToken.ThrowIfCancellationRequested();
                progress.Take(hop);
                if (share.IsShort)
                    return FailForMemory(progress);
                return Fail(progress, hop.Connected
                    ? new ProxyError(FailureCause.TargetTimeout, "the target did not answer completely within timeout")
                    : new ProxyError(FailureCause.ConnectTimeout, "no connection within timeout"));
            }
            catch (InsufficientMemoryException)
            {
                progress.Take(hop);
                return FailForMemory(progress);
            }
            catch (Exception failure) when (failure is HttpRequestException or IOException or InvalidDataException)
            {
                progress.Take(hop);

                // TLS is not to blame where nobody spoke it: HttpClient says so of every end during its handshake.
                bool isTls = !hop.IsSilent && failure is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError };
                if (failure is HttpRequestException or IOException && !isTls)
                    hop.End = TunnelEnd.UpstreamReset;
                return Fail(progress, hop.ConnectError.IsError ? hop.ConnectError : hop.IsSilent ? Ended() : Explain(failure));
            }
            finally
            {
                await hop.DisposeAsync();
            }

            progress.Take(hop);
            if (++progress.Redirects > FetchRedirects.Max)
            {
                progress.Redirects = FetchRedirects.Max;
                return Fail(progress, new ProxyError(FailureCause.TargetProtocol, $"more than {FetchRedirects.Max} redirects"));
            }

            // Once they are withheld they stay so: the way back may be the other host's idea.
            withSecrets &= FetchRedirects.SameOrigin(progress.Url, next);
            (progress.Url, progress.Target) = (next, FetchRequestReader.TargetOf(next).Target);
        }
    }

    private static string? LocationOf(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("Location", out var values) ? values.FirstOrDefault() : null;

    private static ProxyError Explain(Exception failure)
    {
        var error = (failure as HttpRequestException)?.HttpRequestError
            ?? (failure as HttpIOException)?.HttpRequestError
            ?? HttpRequestError.Unknown;
        return error switch
        {
            HttpRequestError.SecureConnectionError => new ProxyError(FailureCause.TargetProtocol, "TLS failed: " + InnerText(failure)),
            HttpRequestError.ConfigurationLimitExceeded => new ProxyError(FailureCause.TargetHeadTooLarge, failure.Message),
            HttpRequestError.InvalidResponse => new ProxyError(FailureCause.TargetProtocol, failure.Message),
            _ when failure is InvalidDataException || failure.InnerException is InvalidDataException =>
                new ProxyError(FailureCause.TargetProtocol, "the compressed body is broken, or does not end"),
            _ => Ended(),
        };
    }

    private static ProxyError Ended() => new(FailureCause.TargetClosed, "the connection ended before the answer was complete");

    private static string InnerText(Exception failure) =>
        failure.InnerException is AuthenticationException or IOException ? failure.InnerException.Message : failure.Message;

    private static async ValueTask<(FetchBody Body, IReadOnlyList<FetchField> Head)> ReadAsync(
        FetchHop hop, HttpResponseMessage response, MemoryShare share, CancellationToken cancellationToken)
    {
        await share.GrowAsync(FetchHead.MemoryOf(response), cancellationToken);
        var (known, left) = FetchCodings.Read(response.Content.Headers, hop.UndoesCodings ? FetchCodings.MaxCodings : 0);
        share.Expect(FetchBody.MaxLength + FetchCodings.MemoryOf(known));
        FetchBody body;
        await using (var content = FetchCodings.Undo(await response.Content.ReadAsStreamAsync(cancellationToken), known, share))
            body = await FetchBody.ReadAsync(content, response.Content.Headers.ContentType?.CharSet, left, share, cancellationToken);

        // From here on it only gives back, so that others need not count with more.
        share.Expect(0);
        return (body, FetchHead.FieldsOf(response, known.Count > 0, left));
    }

    private FetchResult Succeed(
        Progress progress, HttpResponseMessage response, IReadOnlyList<FetchField> head, FetchBody body) => new()
        {
            Success = true,
            Worker = progress.Worker,
            StatusCode = (int)response.StatusCode,
            Url = FetchRequestReader.Text(progress.Url, progress.Target),
            Redirects = progress.Redirects,
            Headers = head,
            Body = body,
            Timing = TimingOf(progress),
        };

    private FetchResult Fail(Progress progress, ProxyError error) => new()
    {
        Success = false,
        Worker = progress.Worker,
        Url = FetchRequestReader.Text(progress.Url, progress.Target),
        Redirects = progress.Redirects,
        Error = new FetchError(
            error.Word,
            error.Detail is null
                ? HttpStatusMapper.Map(error.Cause).Explanation
                : $"{HttpStatusMapper.Map(error.Cause).Explanation} ({error.Detail})"),
        Timing = TimingOf(progress),
    };

    private FetchResult FailForMemory(Progress progress) =>
        Fail(progress, new ProxyError(FailureCause.TooManyConnections, "fetches hold all of [Admin] FetchMemory")) with
        {
            IsShortOfMemory = true,
        };

    private FetchTiming TimingOf(Progress progress) => new(
        0, (long)progress.ConnectTime.TotalMilliseconds, (long)services.Time.GetElapsedTime(progress.Started).TotalMilliseconds);

    /// <summary>How far a fetch has come.</summary>
    private sealed class Progress
    {
        public required Uri Url { get; set; }

        public required long Started { get; init; }

        public required HostEndPoint Target { get; set; }

        public string? Worker { get; private set; }

        public int Attempts { get; private set; }

        public int Redirects { get; set; }

        public TimeSpan ConnectTime { get; private set; }

        public void Take(FetchHop hop)
        {
            Worker = hop.WorkerId ?? Worker;
            Attempts += hop.Attempts;
            ConnectTime += hop.ConnectTime;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            AdminEventIds.Fetched, LogLevel.Information,
            "fetch target={Target} worker={Worker} attempts={Attempts} redirects={Redirects} status={Status} connect_ms={ConnectMs} "
                + "total_ms={TotalMs} cause={Cause}",
            EventName = "fetch")]
        public static partial void Fetched(
            ILogger logger, string target, string worker, int attempts, int redirects, int status, long connectMs, long totalMs,
            string cause);
    }
}
