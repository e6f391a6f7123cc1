using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Support;

/// <summary>Connectors over the managed engine, whose workers nobody judges.</summary>
internal static class ConnectorOf
{
    public static RetryConnector Selector(WorkerSelector selector, ConnectOptions? options = null, TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        options ??= new ConnectOptions();
        var transport = new SocketTransport(time);
        var socks = new WorkerDialer(transport, options, time);
        var names = new LinkResolver(socks, new LinkDnsClient(time, DescriptorBudget.Unlimited()), new RouteOptions(), time);
        return new RetryConnector(
            selector, new StreamDialer(socks, new LinkDialer(transport, names, options, time)),
            new RetryPolicy(
                options, new RetryBudget(new RetryShare(options.RetryBudget, options.RetryFloor), time), new HedgeDelay(options.Hedge)),
            new CircuitEpochs(), new StreamAccounting(NullOutcomeSink.Instance, TimeSpan.Zero, time), DescriptorBudget.Unlimited(), time);
    }
}
