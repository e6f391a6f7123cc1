using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Origin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>One operation of the load.</summary>
/// <param name="Host">The name that it asked for, which no other operation does; its lines in the access log are found by it.</param>
/// <param name="Bytes">Of payload that came back as it should, or whose hash did.</param>
/// <param name="Error">Null: every byte was right.</param>
internal sealed record MixedOperation(string Kind, string Host, TimeSpan From, TimeSpan Until, long Bytes, string? Error);

/// <summary>
/// Clients of every kind, each one operation after the other: SOCKS5, CONNECT, absolute form, onion, downloads, uploads, and tunnels that
/// echo as long as they can. No payload is like another's, and each is compared, or its hash where it stays on the other side.
/// </summary>
internal sealed class MixedLoad(TestNetwork network, IPEndPoint proxy, Func<TimeSpan> now)
{
    private const int PageLength = 4096, DownloadLength = 512 * 1024, UploadLength = 256 * 1024, TunnelLength = 4096;

    /// <summary>Each is one that must have worked.</summary>
    public static readonly IReadOnlyList<string> Kinds =
        ["socks5", "connect", "absolute", "onion", "download", "upload", "upload_chunked", "tunnel"];

    /// <summary>No operation may take longer; a tunnel's single echo neither.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(90);

    private readonly ConcurrentQueue<MixedOperation> _done = new();
    private int _number;

    private delegate Task<long> Operation(NetworkStream stream, string host, CancellationToken token);

    /// <summary>Of the names that it asks for: another for each load of one daemon, whose log tells them apart by it.</summary>
    public string Prefix { get; init; } = "op";

    /// <summary>Between two operations of a client, and two echoes of a tunnel.</summary>
    public TimeSpan Pace { get; init; } = TimeSpan.FromMilliseconds(100);

    public IReadOnlyList<MixedOperation> Done => [.. _done];

    /// <summary>Until <paramref name="stop"/>; operations under way are finished, tunnels are closed.</summary>
    public Task RunAsync(CancellationToken stop)
    {
        var clients = new List<Task>();
        for (int i = 0; i < 2; i++)
        {
            clients.Add(RepeatAsync("socks5", SocksEchoAsync, stop));
            clients.Add(RepeatAsync("connect", ConnectEchoAsync, stop));
            clients.Add(RepeatAsync("absolute", (stream, host, token) => GetAsync(stream, host, PageLength, token), stop));
            clients.Add(RepeatAsync("download", (stream, host, token) => GetAsync(stream, host, DownloadLength, token), stop));
        }

        clients.Add(RepeatAsync("upload", UploadAsync, stop));
        clients.Add(RepeatAsync("upload_chunked", UploadChunkedAsync, stop));

        clients.Add(RepeatAsync("onion", OnionAsync, stop));
        for (int i = 0; i < 12; i++)
            clients.Add(RepeatAsync("tunnel", (stream, host, token) => TunnelAsync(stream, host, stop), stop));
        return Task.WhenAll(clients);
    }

    private static async Task<long> ReadSameAsync(NetworkStream stream, byte[] expected, CancellationToken token)
    {
        if (!(await SocksClient.ReadAsync(stream, expected.Length, token)).AsSpan().SequenceEqual(expected))
            throw new InvalidDataException("other bytes came back");
        return expected.Length;
    }

    /// <summary>A part of the sequence that is this host's own.</summary>
    private static byte[] DataOf(string host, int length)
    {
        byte[] data = new byte[length];
        TestPattern.Fill((long)BitConverter.ToUInt32(SHA256.HashData(Encoding.ASCII.GetBytes(host))) * 8, data);
        return data;
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
                : string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Interlocked.Increment(ref _number)}.test");
            var from = now();
            string? error = null;
            long bytes = 0;
            using var late = new CancellationTokenSource(Longest);
            try
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(proxy, late.Token);
                await using var stream = new NetworkStream(socket, ownsSocket: false);
                bytes = await operation(stream, host, late.Token);
            }
            catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException or InvalidDataException)
            {
                error = $"{failure.GetType().Name}: {failure.Message}";
            }

            _done.Enqueue(new MixedOperation(kind, host, from, now(), bytes, error));
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

    private async Task<long> SocksEchoAsync(NetworkStream stream, string host, CancellationToken token)
    {
        await OpenAsync(stream, host, network.EchoPort, token);
        byte[] data = DataOf(host, 2000);
        await stream.WriteAsync(data, token);
        return await ReadSameAsync(stream, data, token);
    }

    private async Task<long> ConnectEchoAsync(NetworkStream stream, string host, CancellationToken token)
    {
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"CONNECT {host}:{network.EchoPort} HTTP/1.1\r\nHost: {host}:{network.EchoPort}\r\n\r\n"), token);
        RequireOk(await ReadHeadAsync(stream, token));
        byte[] data = DataOf(host, 100);
        await stream.WriteAsync(data, token);
        return await ReadSameAsync(stream, data, token);
    }

    private async Task<long> GetAsync(NetworkStream stream, string host, int length, CancellationToken token)
    {
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"GET http://{host}:{network.OriginPort}/bytes/{length} HTTP/1.1\r\nHost: {host}:{network.OriginPort}\r\nConnection: "
                    + $"close\r\n\r\n"),
            token);
        return await ReadPatternAsync(stream, length, token);
    }

    private static async Task<long> ReadPatternAsync(NetworkStream stream, int length, CancellationToken token)
    {
        RequireOk(await ReadHeadAsync(stream, token));
        byte[] body = await SocksClient.ReadAsync(stream, length, token);
        if (!TestPattern.Matches(0, body))
            throw new InvalidDataException("other bytes came back");
        return length;
    }

    /// <summary>A body in absolute form; the origin answers with its hash.</summary>
    private async Task<long> UploadAsync(NetworkStream stream, string host, CancellationToken token)
    {
        byte[] data = DataOf(host, UploadLength);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"POST http://{host}:{network.OriginPort}/sha256 HTTP/1.1\r\nHost: {host}:{network.OriginPort}\r\nConnection: close\r\n"
                    + $"Content-Length: {data.Length}\r\n\r\n"),
            token);
        await stream.WriteAsync(data, token);
        return await ReadHashAsync(stream, data, token);
    }

    /// <summary>The same in chunks of all sizes, through a tunnel.</summary>
    private async Task<long> UploadChunkedAsync(NetworkStream stream, string host, CancellationToken token)
    {
        await OpenAsync(stream, host, network.OriginPort, token);
        byte[] data = DataOf(host, UploadLength);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"POST /sha256 HTTP/1.1\r\nHost: {host}:{network.OriginPort}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"),
            token);
        for (int at = 0, size = 1; at < data.Length; at += size, size = Math.Min((size * 3) + 1, data.Length - at))
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{size:x}\r\n"), token);
            await stream.WriteAsync(data.AsMemory(at, size), token);
            await stream.WriteAsync("\r\n"u8.ToArray(), token);
        }

        await stream.WriteAsync("0\r\n\r\n"u8.ToArray(), token);
        return await ReadHashAsync(stream, data, token);
    }

    private static async Task<long> ReadHashAsync(NetworkStream stream, byte[] data, CancellationToken token)
    {
        RequireOk(await ReadHeadAsync(stream, token));
        await ReadSameAsync(stream, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(data)) + "\n"), token);
        return data.Length;
    }

    private async Task<long> OnionAsync(NetworkStream stream, string host, CancellationToken token)
    {
        await OpenAsync(stream, host, 80, token);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"GET /bytes/{PageLength} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), token);
        return await ReadPatternAsync(stream, PageLength, token);
    }

    private async Task<long> TunnelAsync(NetworkStream stream, string host, CancellationToken stop)
    {
        using (var late = new CancellationTokenSource(Longest))
            await OpenAsync(stream, host, network.EchoPort, late.Token);
        byte[] data = DataOf(host, TunnelLength);
        long moved = 0;
        while (!stop.IsCancellationRequested)
        {
            using var late = new CancellationTokenSource(Longest);
            await stream.WriteAsync(data, late.Token);
            moved += await ReadSameAsync(stream, data, late.Token);
            await Task.Delay(Pace, CancellationToken.None);
        }

        return moved;
    }
}
