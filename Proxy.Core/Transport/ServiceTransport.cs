using System.Net;

namespace TorBalancer.Transport;

/// <summary>For what must go on while clients wait for descriptors, such as probes: its connections may be of the reserve.</summary>
internal sealed class ServiceTransport(ITransport transport) : ITransport
{
    public string Name => transport.Name;

    public ITransportListener Listen(EndPoint address, ListenSettings settings) => transport.Listen(address, settings);

    public ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken) =>
        transport.ConnectAsync(request with { IsService = true }, cancellationToken);

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        transport.BeginTunnel(client, upstream, settings, owner);

    public Task WhenTurnedAsync() => transport.WhenTurnedAsync();
}
