using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>One small page through a SOCKS5 port as one identity (a user name of its own), timed to its first byte.</summary>
internal static class IdentityFetch
{
    private const string Host = "origin.test";

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Milliseconds from before the connect to the answer's first byte. Throws <see cref="IOException"/>,
    /// <see cref="SocketException"/> or <see cref="OperationCanceledException"/> when there is none.
    /// </summary>
    public static async Task<double> RunAsync(int socksPort, int originPort, string identity)
    {
        using var limit = new CancellationTokenSource(Longest);
        long began = Stopwatch.GetTimestamp();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, socksPort, limit.Token);
        byte[] buffer = new byte[4096];

        // RFC 1928 and 1929: every length is known.
        await SayAsync([5, 1, 2], 2);
        byte[] name = Encoding.ASCII.GetBytes(identity);
        await SayAsync([1, (byte)name.Length, .. name, 1, (byte)'x'], 2);
        await SayAsync(
            [5, 1, 0, 3, (byte)Host.Length, .. Encoding.ASCII.GetBytes(Host), (byte)(originPort >> 8), (byte)originPort], 10);
        await SayAsync(
            Encoding.ASCII.GetBytes($"GET /bytes/1 HTTP/1.1\r\nHost: {Host}\r\nConnection: close\r\n\r\n"), 1);
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;

        async Task SayAsync(byte[] message, int answer)
        {
            await socket.SendAsync(message, limit.Token);
            for (int received = 0; received < answer;)
            {
                int length = await socket.ReceiveAsync(buffer.AsMemory(received, answer - received), limit.Token);
                if (length == 0)
                    throw new IOException(string.Create(CultureInfo.InvariantCulture, $"the port {socksPort} closed a fetch"));
                received += length;
            }

            if (message[0] == 5 && answer == 10 && buffer[1] != 0)
                throw new IOException(string.Create(CultureInfo.InvariantCulture, $"the port {socksPort} refused a fetch: {buffer[1]}"));
        }
    }
}
