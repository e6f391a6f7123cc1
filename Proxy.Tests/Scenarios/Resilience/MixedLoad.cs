using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Origin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>One operation of the load.</summary>
/// <param name="Host">The name that it asked for, which no other operation does; its lines in the access log are found by it.</param>
/// <param name="Error">Null: every byte was right.</param>
internal sealed record MixedOperation(string Kind, string Host, TimeSpan From, TimeSpan Until, string? Error);

/// <summary>
/// Clients of every kind, each one operation after the other: SOCKS5, CONNECT, absolute form, onion, downloads, and tunnels that echo as
/// long as they can.
/// </summary>
internal sealed class MixedLoad(TestNetwork network, IPEndPoint proxy, Func<TimeSpan> now)
{
    private const int DownloadLength = 512 * 1024;

    /// <summary>No operation may take longer; a tunnel's single echo neither.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentQueue<MixedOperation> _done = new();
    private int _number;

    private delegate Task Operation(NetworkStream stream, string host, CancellationToken token);

    public IReadOnlyList<MixedOperation> Done => [.. _done];

    /// <summary>Until <paramref name="stop"/>; operations under way are finished, tunnels are closed.</summary>
    public Task RunAsync(CancellationToken stop)
    {
        var clients = new List<Task>();
        for (int i = 0; i < 2; i++)
        {
            clients.Add(RepeatAsync("socks5", (stream, host, token) => SocksEchoAsync(stream, host, token), stop));
            clients.Add(RepeatAsync("connect", ConnectEchoAsync, stop));
            clients.Add(RepeatAsync("absolute", (stream, host, token) => GetAsync(stream, host, 4096, token), stop));
            clients.Add(RepeatAsync("download", (stream, host, token) => GetAsync(stream, host, DownloadLength, token), stop));
        }

        clients.Add(RepeatAsync("onion", OnionAsync, stop));
        for (int i = 0; i < 12; i++)
            clients.Add(RepeatAsync("tunnel", (stream, host, token) => TunnelAsync(stream, host, stop), stop));
        return Task.WhenAll(clients);
    }

    private static async Task ReadSameAsync(NetworkStream stream, byte[] expected, CancellationToken token)
    {
        if (!(await SocksClient.ReadAsync(stream, expected.Length, token)).AsSpan().SequenceEqual(expected))
            throw new InvalidDataException("other bytes came back");
    }

    private static async Task<string> ReadHeadAsync(NetworkStream stream, CancellationToken token)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, token);
            head.Append((char)one[0]);
        }

        return head.ToString();
    }

    private static void RequireOk(string head)
    {
        if (!head.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
            throw new IOException(
                head.Split("\r\n")
                    .FirstOrDefault(
                        static line => line.StartsWith("Proxy-Status", StringComparison.OrdinalIgnoreCase)) ?? head.Split("\r\n")[0]);
    }

    private async Task RepeatAsync(string kind, Operation operation, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            string host = kind == "onion"
                ? network.OnionAddress
                : string.Create(CultureInfo.InvariantCulture, $"op{Interlocked.Increment(ref _number)}.test");
            var from = now();
            string? error = null;
            using var late = new CancellationTokenSource(Longest);
            try
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(proxy, late.Token);
                await using var stream = new NetworkStream(socket, ownsSocket: false);
                await operation(stream, host, late.Token);
            }
            catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException or InvalidDataException)
            {
                error = $"{failure.GetType().Name}: {failure.Message}";
            }

            _done.Enqueue(new MixedOperation(kind, host, from, now(), error));
            if (error is null)
                await Task.Delay(Pace, CancellationToken.None);
        }
    }

    private static async Task OpenAsync(NetworkStream stream, string host, int port, CancellationToken token)
    {
        byte[] reply = await SocksClient.RequestAsync(stream, host, port, token);
        if (reply[1] != 0)
            throw new IOException($"SOCKS {reply[1]:X2}");
    }

    private async Task SocksEchoAsync(NetworkStream stream, string host, CancellationToken token)
    {
        await OpenAsync(stream, host, network.EchoPort, token);
        byte[] data = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(host, 200)));
        await stream.WriteAsync(data, token);
        await ReadSameAsync(stream, data, token);
    }

    private async Task ConnectEchoAsync(NetworkStream stream, string host, CancellationToken token)
    {
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"CONNECT {host}:{network.EchoPort} HTTP/1.1\r\nHost: {host}:{network.EchoPort}\r\n\r\n"), token);
        RequireOk(await ReadHeadAsync(stream, token));
        byte[] data = Encoding.ASCII.GetBytes(host);
        await stream.WriteAsync(data, token);
        await ReadSameAsync(stream, data, token);
    }

    private async Task GetAsync(NetworkStream stream, string host, int length, CancellationToken token)
    {
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"GET http://{host}:{network.OriginPort}/bytes/{length} HTTP/1.1\r\nHost: {host}:{network.OriginPort}\r\nConnection: "
                    + $"close\r\n\r\n"),
            token);
        RequireOk(await ReadHeadAsync(stream, token));
        byte[] body = await SocksClient.ReadAsync(stream, length, token);
        if (!TestPattern.Matches(0, body))
            throw new InvalidDataException("other bytes came back");
    }

    private async Task OnionAsync(NetworkStream stream, string host, CancellationToken token)
    {
        await OpenAsync(stream, host, 80, token);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET /exit HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), token);
        RequireOk(await ReadHeadAsync(stream, token));
    }

    private async Task TunnelAsync(NetworkStream stream, string host, CancellationToken stop)
    {
        using (var late = new CancellationTokenSource(Longest))
            await OpenAsync(stream, host, network.EchoPort, late.Token);
        byte[] data = Encoding.ASCII.GetBytes(host);
        while (!stop.IsCancellationRequested)
        {
            using var late = new CancellationTokenSource(Longest);
            await stream.WriteAsync(data, late.Token);
            await ReadSameAsync(stream, data, late.Token);
            await Task.Delay(Pace, CancellationToken.None);
        }
    }
}
