using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using TorBalancer.Configuration.Options;
using TorBalancer.Server.Naming;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Answers for names while the host runs, if it is to.</summary>
internal sealed class DnsHostedService(DnsServer server, TorBalancerOptions options) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            server.Start();
            return Task.CompletedTask;
        }
        catch (SocketException failure)
        {
            throw new StartupException($"[Dns] cannot listen on {options.Dns.Address}: {failure.Message}", failure);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => server.DisposeAsync().AsTask();
}
