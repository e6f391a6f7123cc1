using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>A name's address, or why there is none.</summary>
/// <param name="IsFresh">The worker was asked just now; false: remembered, or nothing had to be asked.</param>
internal readonly record struct ResolvedName(IPAddress? Address, bool IsFresh, ProxyError Error)
{
    public static ResolvedName Failed(FailureCause cause, string detail) => new(null, false, new ProxyError(cause, detail));
}

/// <summary>
/// Asks the worker that will carry the connection, and nobody else, for a name's address: by tor's RESOLVE on its
/// SocksPort under the connection's own token, or, where DnsPort is configured, at its DNSPort over the link.
/// </summary>
internal sealed class LinkResolver(WorkerDialer socks, LinkDnsClient dns, Live<RouteOptions> options, TimeProvider time)
{
    /// <summary>RESOLVE tells no time to live; tor itself remembers an answer at least this long.</summary>
    private static readonly TimeSpan SocksTimeToLive = TimeSpan.FromSeconds(60);

    private readonly LinkNameCache _cache = new(time, options.Select(static route => route.NameCache));

    /// <param name="timeout">The longest that it may take.</param>
    /// <param name="cancellationToken">Cancelled when nobody waits for the result any more; throws then.</param>
    public async ValueTask<ResolvedName> ResolveAsync(
        WorkerModel worker, WireGuardLink link, HostEndPoint target, IsolationToken token, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        var families = Families(link);
        if (families.Count == 0)
            return ResolvedName.Failed(
                FailureCause.AddressTypeNotSupported,
                $"the link {link.Interface} carries no addresses of the family that [Route] Family asks for");

        // Who must not share a circuit with somebody must not learn from the cache what they asked for either.
        var key = new LinkNameKey(worker.Id, token.Password ?? "", target.Host);
        if (_cache.Find(key) is { } known && families.Contains(known.AddressFamily))
            return new ResolvedName(known, false, default);

        var (answer, timeToLive) = link.Dns is { } server
            ? await AskDnsAsync(link, server, key.Name, families, timeout, cancellationToken)
            : (await AskSocksAsync(worker, target, token, families, timeout, cancellationToken), SocksTimeToLive);
        if (answer.Address is null)
            return answer;

        // Mapped addresses would leave as the other family, and our ends of the link are nobody's target.
        bool isEnd = answer.Address.Equals(link.WorkerAddress) || answer.Address.Equals(link.HostAddress(answer.Address.AddressFamily));
        if (answer.Address.IsIPv4MappedToIPv6 || isEnd || !PublicAddress.Is(answer.Address))
            return ResolvedName.Failed(FailureCause.HostUnreachable, "the name leads to a private address");
        _cache.Keep(key, answer.Address, timeToLive);
        return answer;
    }

    private async ValueTask<ResolvedName> AskSocksAsync(
        WorkerModel worker, HostEndPoint target, IsolationToken token, List<AddressFamily> families, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        var result = await socks.DialAsync(worker, ProxyCommand.Resolve, target, token, timeout, cancellationToken);
        if (result.Error.IsError)
            return new ResolvedName(null, false, result.Error);
        if (result.Answer.Address is not { } address)
            return ResolvedName.Failed(FailureCause.WorkerProtocol, "the worker's answer to RESOLVE is not an address");

        // Which family tor answers with is the choice of its SocksPort's flags (PreferIPv6); it cannot be asked for.
        return families.Contains(address.AddressFamily)
            ? new ResolvedName(address, true, default)
            : ResolvedName.Failed(FailureCause.HostUnreachable, "the name has no address of a family that the link carries");
    }

    private async ValueTask<(ResolvedName Name, TimeSpan TimeToLive)> AskDnsAsync(
        WireGuardLink link, IPEndPoint server, string name, List<AddressFamily> families, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        // A DNSPort has no way to say "the name is there, but not with such an address": it answers with an error. So each family is asked.
        long started = time.GetTimestamp();
        ProxyError? refused = null;
        foreach (var family in families)
        {
            var left = timeout - time.GetElapsedTime(started);
            var answer = await dns.AskAsync(link, server, name, family, left, cancellationToken);
            if (answer.Address is not null)
                return (new ResolvedName(answer.Address, true, default), answer.TimeToLive);
            if (!answer.Error.IsError)
                continue;
            refused = answer.Error;

            // The link's fault or the time's: the other family would fare no better.
            if (answer.Error.Side != FailureSide.Target && answer.Error.Cause != FailureCause.GeneralFailure)
                break;
        }

        return refused is { } error
            ? (new ResolvedName(null, false, error), default)
            : (ResolvedName.Failed(FailureCause.HostUnreachable, "the name has no address of a family that the link carries"), default);
    }

    /// <summary>The families to ask for, in order.</summary>
    private List<AddressFamily> Families(WireGuardLink link)
    {
        List<AddressFamily> wanted = options.Value.Family switch
        {
            AddressChoice.IPv4 => [AddressFamily.InterNetwork],
            AddressChoice.IPv6 => [AddressFamily.InterNetworkV6],
            AddressChoice.PreferIPv6 => [AddressFamily.InterNetworkV6, AddressFamily.InterNetwork],
            _ => [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6],
        };
        wanted.RemoveAll(family => !link.Carries(family));
        return wanted;
    }
}
