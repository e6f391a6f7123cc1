using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// One attempt over a worker's WireGuard link: the worker says the name's address, and a socket that is bound to the link
/// connects to it. At the far end the worker's firewall hands the connection to tor's TransPort. Whatever is missing of
/// the link fails the attempt; there is no other way out of here.
/// </summary>
internal sealed class LinkDialer(ITransport transport, LinkResolver names, Live<ConnectOptions> options, TimeProvider time)
{
    /// <param name="timeout">The longest that this attempt may take.</param>
    /// <param name="cancellationToken">Cancelled when nobody waits for the result any more; throws then.</param>
    public async ValueTask<DialResult> DialAsync(
        WorkerModel worker, HostEndPoint target, IsolationToken token, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (worker.Link is not { } link)
            return Failed(FailureCause.NoWorkerAvailable, $"worker {worker.Id} has no WireGuard link");
        long started = time.GetTimestamp();
        var found = target.Address is { } literal
            ? Literal(link, literal)
            : await names.ResolveAsync(worker, link, target, token, timeout, cancellationToken);
        if (found.Address is null)
            return new DialResult(null, default, found.Error, ViaLink: true, IsProven: false);
        var left = timeout - time.GetElapsedTime(started);
        if (left <= TimeSpan.Zero)
            return Failed(FailureCause.ConnectTimeout, "the time for connecting is over");
        return await ConnectAsync(link, new IPEndPoint(found.Address, target.Port), found.IsFresh, left, cancellationToken);
    }

    private async ValueTask<DialResult> ConnectAsync(
        WireGuardLink link, IPEndPoint remote, bool isProven, TimeSpan left, CancellationToken cancellationToken)
    {
        var patience = options.Value.WorkerTimeout;
        bool isCut = left < patience;
        using var timer = new CancellationTokenSource(isCut ? left : patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            var connected = await transport.ConnectAsync(link.To(remote), both.Token);
            return connected.Connection is { } connection
                ? new DialResult(connection, default, default, ViaLink: true, isProven)
                : new DialResult(null, default, LinkFault.ToError(link, connected.Error, Refused(link)), ViaLink: true, IsProven: false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return isCut
                ? Failed(FailureCause.ConnectTimeout, "the time for connecting is over")
                : Failed(FailureCause.WorkerTimeout, $"no answer over the link {link.Interface}");
        }
    }

    /// <summary>
    /// Addresses that are not public mean something on this side of the link: the kernel would hand some of them to this very
    /// machine, others to the worker's own ports. Exits refuse them anyhow.
    /// </summary>
    private static ResolvedName Literal(WireGuardLink link, IPAddress address)
    {
        if (!PublicAddress.Is(address) || address.Equals(link.WorkerAddress) || address.Equals(link.HostAddress(address.AddressFamily)))
            return new ResolvedName(
                null, false, new ProxyError(FailureCause.RouteRejected, "private addresses are not carried over a WireGuard link"));
        return link.Carries(address.AddressFamily)
            ? new ResolvedName(address, false, default)
            : new ResolvedName(
                null, false,
                new ProxyError(FailureCause.AddressTypeNotSupported, $"the link {link.Interface} carries no addresses of this family"));
    }

    private static string Refused(WireGuardLink link) =>
        $"nothing takes connections behind the link {link.Interface}: is TransPort open, and is the redirect there?";

    private static DialResult Failed(FailureCause cause, string detail) =>
        new(null, default, new ProxyError(cause, detail), ViaLink: true, IsProven: false);
}
