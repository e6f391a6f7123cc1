using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Processes;
using TorBalancer.Server;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>What doctor says of a configuration, against what a process has when silent clients take nearly all places.</summary>
[CancelAfter(60_000), NonParallelizable] // Thousands of sockets at a time.
public sealed class MemoryBoundTests
{
    private const int Limit = 4_096;

    [Test]
    public async Task Silent_clients_take_no_more_than_the_bound([Values("linux", "sockets")] string engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"[Engine]\nTransport = {engine}\n\n[Log]\nAccess = no\n\n[Health]\nEnabled = no\n\n[Worker:one]\nAddress = 127.0.0.1\n"
                + $"SocksPort = {((IPEndPoint)worker.EndPoint).Port}\n",
            token, under: ["prlimit", $"--nofile={Limit}:{Limit}"]);
        var options = new TorBalancerOptions();
        options.Listeners.Add(new ListenerOptions { Name = "main" });
        var bound = MemoryBound.Of(options, Limit);
        int clients = (int)bound.Clients * 9 / 10;
        var silent = new List<Socket>();
        try
        {
            // What the first ones have compiled and filled is not theirs.
            await ConnectAsync(silent, clients / 4);
            long before = ProcessSignals.ResidentBytes(daemon.ProcessId);
            await ConnectAsync(silent, clients - (clients / 4));
            long taken = ProcessSignals.ResidentBytes(daemon.ProcessId) - before;

            long allowed = bound.Idle / bound.Clients * (clients - (clients / 4));
            TestContext.Progress.WriteLine(
                $"{engine}: {clients - (clients / 4)} silent clients more take {taken >> 10:N0} KiB, {allowed >> 10:N0} KiB are said");
            Assert.That(taken, Is.LessThanOrEqualTo(allowed));
        }
        finally
        {
            silent.ForEach(static socket => socket.Dispose());
        }

        Assert.That(await daemon.StopAsync(token), Is.Zero);

        async Task ConnectAsync(List<Socket> sockets, int count)
        {
            int open = Descriptors();
            for (int i = 0; i < count; i++)
            {
                sockets.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await sockets[^1].ConnectAsync(daemon.Address, token);
            }

            // They have one descriptor each.
            while (Descriptors() < open + count)
                await Task.Delay(10, token);
        }

        int Descriptors() => Directory.GetFileSystemEntries($"/proc/{daemon.ProcessId}/fd").Length;
    }
}
