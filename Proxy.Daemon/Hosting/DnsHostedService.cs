using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Server.Naming;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Answers for names while the host runs, if it is to.</summary>
/// <param name="predecessor">Answers until it lets go; null: nobody does.</param>
internal sealed class DnsHostedService(DnsServer server, TorBalancerOptions options, Predecessor? predecessor = null)
    : IHostedService, IHandOverPart
{
    private const string Packets = "udp", Streams = "tcp";

    public IReadOnlyList<(TakeoverDescriptor What, int Descriptor)> Descriptors =>
        server.Sockets is { } sockets ? [Offer(Packets, sockets.Packets), Offer(Streams, sockets.Streams)] : [];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (predecessor is null)
            {
                server.Start();
                return Task.CompletedTask;
            }

            Take(predecessor);
        }
        catch (SocketException failure)
        {
            throw new StartupException($"[Dns] cannot listen on {options.Dns.Address}: {failure.Message}", failure);
        }

        predecessor.WhenOurs(server.Begin);
        return Task.CompletedTask;
    }

    public async ValueTask PauseAsync() => await server.PauseAsync();

    public void Resume() => server.Resume();

    public ValueTask LeaveAsync(TakeoverReady successor, int processId)
    {
        server.Leave();
        return ValueTask.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => server.StopAsync(cancellationToken);

    private void Take(Predecessor from)
    {
        // Both are of one port, and come together.
        string? address = options.Dns.Address?.ToString();
        if (address is not null && from.Has(TakeoverKinds.Dns, Packets, address)
            && from.TakeSocket(TakeoverKinds.Dns, Streams, address) is { } streams)
            server.Adopt(from.TakeSocket(TakeoverKinds.Dns, Packets, address)!.Socket, streams.Socket);
        else
            server.Bind();
    }

    private (TakeoverDescriptor What, int Descriptor) Offer(string name, Socket socket) => (
        new TakeoverDescriptor(TakeoverKinds.Dns, name, options.Dns.Address!.ToString()), (int)socket.SafeHandle.DangerousGetHandle());
}
