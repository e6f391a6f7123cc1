using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Dns;
using TorBalancer.Routing;

namespace TorBalancer.Server.Naming;

/// <summary>
/// Answers questions of clients: by a worker's RESOLVE under the client's own isolation token, so that it is looked up where the client's
/// circuits are, or out of what is known. Nobody else is ever asked.
/// </summary>
/// <param name="options">What is configured.</param>
/// <param name="owner">Whose clients they are: of which listener's rules, isolation and name tokens are made.</param>
internal sealed partial class DnsResolver(
    DnsOptions options, Live<DnsOwner> owner, StreamOpener opener, VirtualNames virtuals, DnsCounters counters, TimeProvider time,
    ILogger<DnsResolver> logger)
{
    /// <summary>Questions that workers are asked at one time; above it the answer is SERVFAIL.</summary>
    public const int MostAtOnce = 1024;

    /// <summary>
    /// Stub resolvers ask again after 5 s and give up after some such rounds (resolv.conf(5)); who asks again joins the first question.
    /// </summary>
    private static readonly TimeSpan LongestLookup = TimeSpan.FromSeconds(30);

    private readonly DnsCache _cache = new(time, options.TimeToLive);
    private int _asked;

    /// <summary>Answers and questions that are held.</summary>
    public int CacheCount => _cache.Count;

    /// <summary>Names that virtual addresses stand for.</summary>
    public int VirtualCount => virtuals.Count;

    /// <summary>Never throws but for the token, which is cancelled when we stop.</summary>
    public async ValueTask<DnsAnswer> AnswerAsync(DnsQuery query, IPAddress client, CancellationToken stopping)
    {
        if (query.Class is not (DnsFormat.ClassIn or DnsFormat.ClassAny))
            return new DnsAnswer(DnsCode.Refused);
        if (query.Type is not (DnsType.A or DnsType.Aaaa or DnsType.Ptr))
            return new DnsAnswer(DnsCode.NotImplemented);
        if (query.Name is null)
            return new DnsAnswer(DnsCode.NameError);
        if (query.Name.Length == 0)
            return new DnsAnswer(DnsCode.NoError);
        return query.Type == DnsType.Ptr
            ? await NameAsync(query.Name, client, stopping)
            : await AddressAsync(query, client, stopping);
    }

    private async ValueTask<DnsAnswer> AddressAsync(DnsQuery query, IPAddress client, CancellationToken stopping)
    {
        if (!HostEndPoint.TryCreate(query.Name, 0, out var name) || name.Address is not null)
            return new DnsAnswer(DnsCode.NameError);
        var family = query.Type == DnsType.Aaaa ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        var request = new ProxyRequest(ClientProtocol.Unknown, ProxyCommand.Resolve, name, null);
        if (name.IsOnion)
        {
            var way = Foresee(request, client).Way;
            return way.IsReject ? new DnsAnswer(CodeOf(way.Error))
                : virtuals.Give(name.Host, family) is { } stands
                    ? new DnsAnswer(DnsCode.NoError, HostEndPoint.FromAddress(stands, 0), options.TimeToLive)
                    : new DnsAnswer(DnsCode.NoError);
        }

        var (found, left) = await FindAsync(request, client, stopping);

        // RESOLVE answers with one address, of IPv4 where there is one: of the other family the name has none.
        return found.Code != DnsCode.NoError ? new DnsAnswer(found.Code)
            : found.Value is { Address: { } address } value && address.AddressFamily == family
                ? new DnsAnswer(DnsCode.NoError, value, left)
                : new DnsAnswer(DnsCode.NoError);
    }

    private async ValueTask<DnsAnswer> NameAsync(string name, IPAddress client, CancellationToken stopping)
    {
        if (ReverseName.Parse(name) is not { } address)
            return new DnsAnswer(DnsCode.NameError);
        if (virtuals.Has(address))
        {
            return virtuals.Find(address) is { } stands && HostEndPoint.TryCreate(stands, 0, out var onion)
                ? new DnsAnswer(DnsCode.NoError, onion, options.TimeToLive)
                : new DnsAnswer(DnsCode.NameError);
        }

        var request = new ProxyRequest(ClientProtocol.Unknown, ProxyCommand.ResolvePtr, HostEndPoint.FromAddress(address, 0), null);
        var (found, left) = await FindAsync(request, client, stopping);
        return new DnsAnswer(found.Code, found.Code == DnsCode.NoError ? found.Value : null, left);
    }

    private async ValueTask<(DnsFound Found, TimeSpan Left)> FindAsync(ProxyRequest request, IPAddress client, CancellationToken stopping)
    {
        // A token for this connection alone has no answers that it may share.
        var (way, plan) = Foresee(request, client);
        if (plan is null)
            return (new DnsFound(CodeOf(way.Error)), default);
        var key = new DnsCacheKey(plan.Token.Password ?? "", request.Target.Host);
        if (owner.Value.Isolation != IsolationMode.Connection && _cache.Find(key) is { } known)
        {
            counters.Count(DnsSource.Cache);
            return known;
        }

        if (Volatile.Read(ref _asked) >= MostAtOnce)
            return (new DnsFound(DnsCode.ServerFailure), default);
        if (owner.Value.Isolation != IsolationMode.Connection)
        {
            return await _cache.AskAsync(
                key, () => AskAsync(request, client, stopping), isShared => counters.Count(isShared ? DnsSource.Shared : DnsSource.Worker));
        }

        counters.Count(DnsSource.Worker);
        return (await AskAsync(request, client, stopping), options.TimeToLive);
    }

    private async Task<DnsFound> AskAsync(ProxyRequest request, IPAddress client, CancellationToken stopping)
    {
        Interlocked.Increment(ref _asked);
        using var timer = new CancellationTokenSource(LongestLookup, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, stopping);
        try
        {
            var who = owner.Value;
            var outcome = await opener.OpenAsync(request, OwnerOf(client), options.Mode, who.Isolation, either.Token);
            if (outcome.Error.IsError)
                return new DnsFound(CodeOf(outcome.Error));
            if (request.Command == ProxyCommand.Resolve)
                return OfAddress(outcome.Answer, client);
            return outcome.Answer.Address is null ? new DnsFound(DnsCode.NoError, outcome.Answer) : new DnsFound(DnsCode.NameError);
        }
        catch (OperationCanceledException)
        {
            return new DnsFound(DnsCode.ServerFailure);
        }
        catch (Exception failure)
        {
            Log.Failed(logger, failure);
            return new DnsFound(DnsCode.ServerFailure);
        }
        finally
        {
            Interlocked.Decrement(ref _asked);
        }
    }

    /// <summary>A name that leads into the client's own network would let its owner speak with it there.</summary>
    private DnsFound OfAddress(HostEndPoint answer, IPAddress client)
    {
        if (answer.Address is null || virtuals.Has(answer.Address))
            return new DnsFound(DnsCode.NameError);
        var question = new ProxyRequest(ClientProtocol.Unknown, ProxyCommand.ResolvePtr, answer, null);
        return answer.IsPrivate && Foresee(question, client).Way.IsReject
            ? new DnsFound(DnsCode.NameError) : new DnsFound(DnsCode.NoError, answer);
    }

    private (RouteDecision Way, ConnectPlan? Plan) Foresee(ProxyRequest request, IPAddress client) =>
        opener.Foresee(request, OwnerOf(client), options.Mode, owner.Value.Isolation);

    private ConnectionOwner OwnerOf(IPAddress client) =>
        new(owner.Value.Listener, client, null, UserParameters.None) { Targets = owner.Value.Targets };

    /// <summary>
    /// Names that mean something only at home do not exist for others (RFC 6761, 6762, 7686, 8375); "host unreachable" is all that tor says
    /// of a name that its exit finds no address for.
    /// </summary>
    private static DnsCode CodeOf(ProxyError error) => error.Cause switch
    {
        FailureCause.PrivateTarget or FailureCause.OnionAddressInvalid or FailureCause.HostUnreachable => DnsCode.NameError,
        FailureCause.RouteRejected => DnsCode.Refused,
        _ => DnsCode.ServerFailure,
    };

    private static partial class Log
    {
        [LoggerMessage(NamingEventIds.LookupFailed, LogLevel.Error, "A name could not be looked up by a fault of ours")]
        public static partial void Failed(ILogger logger, Exception failure);
    }
}
