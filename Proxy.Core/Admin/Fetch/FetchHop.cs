using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;
using TorBalancer.Server;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Fetch;

/// <summary>One request to one URL over one stream of its own, which ends with it.</summary>
internal sealed class FetchHop(FetchRequest request, Uri url, HostEndPoint target, FetchServices services) : IAsyncDisposable
{
    private readonly CancellationTokenSource _over = new();
    private readonly TunnelCounters _counters = new();
    private SocketsHttpHandler? _handler;
    private HttpMessageInvoker? _invoker;
    private Task<ConnectOutcome>? _connecting;

    /// <summary>The worker in use or tried last.</summary>
    public string? WorkerId { get; private set; }

    public int Attempts { get; private set; }

    public TimeSpan ConnectTime { get; private set; }

    /// <summary>True from the worker's answer on.</summary>
    public bool Connected { get; private set; }

    /// <summary>Why no connection could be had.</summary>
    public ProxyError ConnectError { get; private set; }

    /// <summary>True when a connection was had and not one byte came back by it.</summary>
    public bool IsSilent => Connected && _counters.FromUpstream == 0;

    /// <summary>True unless the caller asked for codings of its own choice: then the body is its business.</summary>
    public bool UndoesCodings { get; private set; }

    /// <summary>How the connection is accounted for when it ends.</summary>
    public TunnelEnd End { get; set; } = TunnelEnd.Aborted;

    /// <summary>Sends the request and waits for the answer's head. Throws what HttpClient throws.</summary>
    /// <param name="withSecrets">False once a redirect has led to another origin.</param>
    public async Task<HttpResponseMessage> SendAsync(bool withSecrets, CancellationToken cancellationToken)
    {
        var message = new HttpRequestMessage(HttpMethod.Get, url)
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        UndoesCodings = true;
        foreach (var (name, value) in request.Headers)
        {
            if (!withSecrets && FetchHeaders.IsSecret(name))
                continue;
            message.Headers.TryAddWithoutValidation(name, value);
            UndoesCodings &= !name.Equals("Accept-Encoding", StringComparison.OrdinalIgnoreCase);
        }

        if (UndoesCodings)
            message.Headers.TryAddWithoutValidation("Accept-Encoding", FetchCodings.Accepted);
        _handler = CreateHandler();
        _invoker = new HttpMessageInvoker(_handler, disposeHandler: true);
        return await _invoker.SendAsync(message, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _invoker?.Dispose();
        _handler?.Dispose();
        if (_connecting is not null)
        {
            // HttpClient may have given up on a connection that is still being made.
            await ((Task)_connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_connecting.IsCompletedSuccessfully && _connecting.Result.Stream is { } stream)
            {
                stream.End(End);
                await stream.DisposeAsync();
            }
        }

        _over.Dispose();
    }

    /// <summary>
    /// A handler that reaches the network through a worker and in no other way. Nothing is shared between fetches: neither
    /// connections nor cookies nor TLS sessions, by which a target could join what isolation keeps apart. Certificates are
    /// checked with what the target sends: fetching missing ones (AIA) or revocation lists would go around Tor.
    /// </summary>
    private SocketsHttpHandler CreateHandler() => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,

        // A body that nobody wants is not read behind our back while the connection is closed.
        MaxResponseDrainSize = 0,
        MaxResponseHeadersLength = HttpLimits.HeadBytes / 1024,

        // It would undo what is not known to be bounded, and does not know every name (x-gzip).
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        ConnectTimeout = Timeout.InfiniteTimeSpan,
        ConnectCallback = async (context, token) => await ConnectAsync(token),
        SslOptions = new SslClientAuthenticationOptions
        {
            AllowTlsResume = false,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            CertificateChainPolicy = CreateChainPolicy(services.TrustedRoots),
        },
    };

    private static X509ChainPolicy CreateChainPolicy(X509Certificate2Collection? trustedRoots)
    {
        var policy = new X509ChainPolicy { DisableCertificateDownloads = true, RevocationMode = X509RevocationMode.NoCheck };
        if (trustedRoots is not null)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(trustedRoots);
        }

        return policy;
    }

    private async ValueTask<Stream> ConnectAsync(CancellationToken cancellationToken)
    {
        if (_connecting is not null)
            throw new IOException("a hop has one connection");
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _over.Token);
        long started = services.Time.GetTimestamp();
        _connecting = services.Connector.OpenAsync(request, target, either.Token).AsTask();
        var outcome = await _connecting;
        ConnectTime = services.Time.GetElapsedTime(started);
        WorkerId = outcome.WorkerId;
        Attempts = outcome.Attempts;
        if (outcome.Stream is not { } stream)
        {
            ConnectError = outcome.Error;
            throw new IOException(outcome.Error.Word);
        }

        Connected = true;
        stream.Begin(_counters);
        return new TransportConnectionStream(stream.Connection, _counters);
    }
}
