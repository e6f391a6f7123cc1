using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Support;
using TorBalancer.Tests.Transport;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// A daemon that can open nothing more: what runs goes on, whole, and what came too late is served as soon as there is room.
/// </summary>
[CancelAfter(90_000)]
public class DescriptorPressureTests
{
    private const int Tunnels = 40, Bytes = 300_000;

    [Test]
    public async Task Tunnels_go_on_without_a_free_descriptor_and_new_clients_are_served_when_there_is_one(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        int port = ((IPEndPoint)worker.EndPoint).Port;
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"[Health]\nEnabled = no\n\n[Worker:one]\nAddress = 127.0.0.1\nSocksPort = {port}\n", token);
        var clients = new List<TcpClient>();
        try
        {
            for (int i = 0; i < Tunnels; i++)
                clients.Add(await OpenAsync(daemon, token));
            await LimitAsync(daemon, HighestDescriptor(daemon) + 1, token);

            await Task.WhenAll(clients.Select((client, i) => EchoAsync(client.GetStream(), i, token)));

            // The kernel accepts it; the daemon cannot, until there is room again.
            var late = new TcpClient();
            clients.Add(late);
            await late.ConnectAsync(daemon.Address, token);
            await Task.WhenAll(clients.Take(Tunnels).Select((client, i) => EchoAsync(client.GetStream(), i + Tunnels, token)));
            await LimitAsync(daemon, 4096, token);
            await SocksClient.RequestAsync(late.GetStream(), "late.test", 80, token);
            await EchoAsync(late.GetStream(), 99, token);
        }
        finally
        {
            clients.ForEach(static client => client.Dispose());
        }
    }

    private static async Task<TcpClient> OpenAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        var client = new TcpClient();
        await client.ConnectAsync(daemon.Address, token);
        var reply = await SocksClient.RequestAsync(client.GetStream(), "echo.test", 7, token);
        Assert.That(reply[1], Is.Zero);
        return client;
    }

    private static async Task EchoAsync(NetworkStream stream, long id, CancellationToken token)
    {
        var sending = SendAsync();
        var buffer = new byte[32 * 1024];
        for (long received = 0; received < Bytes;)
        {
            int count = await stream.ReadAsync(buffer, token);
            Assert.That(count, Is.Positive, "the tunnel ended early");
            Assert.That(StressData.IsAt(id, received, buffer.AsSpan(0, count)), "what came back is what was sent");
            received += count;
        }

        await sending;

        async Task SendAsync()
        {
            for (long sent = 0; sent < Bytes;)
            {
                var piece = StressData.At(id, sent, (int)Math.Min(20_000, Bytes - sent));
                await stream.WriteAsync(piece, token);
                sent += piece.Length;
            }
        }
    }

    private static int HighestDescriptor(DaemonUnderTest daemon) =>
        Directory.EnumerateFileSystemEntries($"/proc/{daemon.ProcessId}/fd")
            .Max(static path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));

    private static async Task LimitAsync(DaemonUnderTest daemon, int descriptors, CancellationToken token)
    {
        var result = await ClientProcess.RunAsync("prlimit", ["--pid", $"{daemon.ProcessId}", $"--nofile={descriptors}:"], token);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
    }
}
