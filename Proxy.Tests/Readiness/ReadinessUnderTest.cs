using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Readiness;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Readiness;

/// <summary>Both listeners of [Readiness] on ports of their own, in front of a proxy's workers.</summary>
internal static class ReadinessUnderTest
{
    public static ReadinessServer Of(ProxyUnderTest proxy)
    {
        var time = proxy.Get<TimeProvider>();
        return new ReadinessServer(
            new ReadinessAnswers(proxy.Get<ReadinessJudge>(), proxy.Get<Liveness>(), time), proxy.Get<DescriptorBudget>(), time,
            new Logger<ReadinessServer>(proxy.Log));
    }

    public static ReadinessServer Start(ProxyUnderTest proxy)
    {
        var server = Of(proxy);
        server.Start(Options());
        return server;
    }

    /// <param name="address">Null: a port of its own.</param>
    public static TorBalancerOptions Options(IPEndPoint? address = null, IPEndPoint? agent = null)
    {
        var options = new TorBalancerOptions();
        (options.Readiness.Address, options.Readiness.Agent) =
            (address ?? new IPEndPoint(IPAddress.Loopback, 0), agent ?? new IPEndPoint(IPAddress.Loopback, 0));
        return options;
    }

    /// <summary>All that comes back for these bytes, to the end.</summary>
    public static async Task<string> AskAsync(IPEndPoint address, string request, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address, token);
        await socket.SendAsync(Encoding.ASCII.GetBytes(request), token);
        using var stream = new NetworkStream(socket, ownsSocket: false);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadToEndAsync(token);
    }

    public static Task<string> GetAsync(IPEndPoint address, string path, CancellationToken token) =>
        AskAsync(address, $"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n", token);
}
