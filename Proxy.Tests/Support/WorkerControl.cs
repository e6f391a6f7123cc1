using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Testnet.Nodes;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Support;

/// <summary>The control port of one of the network's workers.</summary>
internal static class WorkerControl
{
    public static Task<ControlConnection> ConnectAsync(TestNode worker, CancellationToken token) => ControlConnection.ConnectAsync(
        new UnixDomainSocketEndPoint(worker.ControlPath),
        new ControlCredentials(CookiePath: worker.CookiePath),
        ControlConnectionOptions.Default,
        NullLogger.Instance,
        TimeProvider.System,
        token);
}
