using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Balancing;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Origin;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>A download that takes its time, while everything that health may do to its circuit, exit and worker is done.</summary>
public sealed class LongDownloadTests : ResilienceFixture
{
    private const int Length = 8 * 1024 * 1024;
    private const int Step = 64 * 1024;
    private const string Session = "session-long";

    /// <summary>Between two steps: 20 s in all.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(156);

    [Test, CancelAfter(180_000)]
    public async Task Long_download_survives_a_rebuild_a_change_of_the_blacklist_and_a_drain(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(
            AllWorkers,
            static options =>
            {
                options.Balancing.Mode = SelectionPolicyNames.Sticky;
                options.Blacklist.MinRemainingExits = 2;
            },
            new RelayWatchTiming { MinChangeInterval = TimeSpan.FromSeconds(1) });
        await UntilAsync(
            () => proxy.Relays.Facts.Count(static one => one.IsConnected) == AllWorkers.Count, Patience, "all control ports", token);
        await using var tors = await WatchedWorkers.StartAsync(Network, token);

        await using var stream = await OpenAsync(proxy, Session, TestNetwork.OriginName, token, Network.OriginPort);
        stream.Socket.ReceiveBufferSize = Step;
        var (worker, download) = await tors.OpenedAsync($"{TestNetwork.OriginName}:{Network.OriginPort}", token);
        var allDone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        long started = Stopwatch.GetTimestamp();
        var reading = ReadAsync(stream, allDone.Task, token);
        try
        {
            await RebuildAsync(proxy, tors, worker, download, token);
            await BlacklistAsync(proxy, worker, download.Exit, token);
            await DrainAsync(proxy, tors, worker, token);
        }
        finally
        {
            allDone.TrySetResult();
        }

        Assert.That(await reading, Is.EqualTo(Hash()));
        TestContext.Progress.WriteLine(
            $"a download of {Length >> 20} MiB, with all that: {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        Assert.That(Stopwatch.GetElapsedTime(started), Is.GreaterThan(TimeSpan.FromSeconds(15)), "too quick to have met anything");
    }

    /// <summary>The session's circuit counts as broken; its next request takes another one.</summary>
    private async Task RebuildAsync(
        ProxyUnderTest proxy, WatchedWorkers tors, string worker, OpenedStream download, CancellationToken token)
    {
        for (int i = 0; proxy.Relays.FactsOf(worker)!.Rebuilds == 0; i++)
        {
            // Exits fail for several destinations, which looks like a broken circuit.
            await using var failing = await proxy.ConnectAsync();
            byte[] reply = await SocksClient.RequestAsync(failing, $"closed{i}.test", Network.ClosedPort, token, Session, "x");
            Assert.That(reply[1], Is.Not.Zero);
        }

        await using var next = await OpenAsync(proxy, Session, "rebuilt.test", token);
        await AssertEchoesAsync(next, token);
        var (_, stream) = await tors.OpenedAsync($"rebuilt.test:{Network.EchoPort}", token);
        Assert.That(stream.Circuit, Is.Not.EqualTo(download.Circuit));
    }

    /// <summary>The download's own exit is avoided from now on.</summary>
    private async Task BlacklistAsync(ProxyUnderTest proxy, string worker, string exit, CancellationToken token)
    {
        await using var control = await WorkerControl.ConnectAsync(Network.Node(worker), token);
        var consensus = ExitConsensus.Parse(await control.GetInfoAsync("ns/all", token));
        var watcher = proxy.Relays.Find(worker)!;
        await UntilAsync(
            () =>
            {
                // A probe that gets through the exit at this moment would take it off again.
                if (watcher.Blacklist.Contains(exit))
                    return proxy.Relays.Blacklist.Any(entry => entry.WorkerId == worker && entry.Fingerprint == exit && entry.IsInForce);
                Assert.That(watcher.Blacklist.TryAdd(new RelayName(exit, "exit"), default, consensus, out string? refused), refused);
                watcher.Nudge();
                return false;
            },
            Patience, "the exit is avoided", token);
        Assert.That((await control.GetConfAsync([ExcludeNodesApplier.Option], token))[0].Value, Does.Contain(exit));
    }

    /// <summary>Nobody gets its worker any more; even its own session goes elsewhere.</summary>
    private async Task DrainAsync(ProxyUnderTest proxy, WatchedWorkers tors, string worker, CancellationToken token)
    {
        var state = proxy.Pool.Find(worker)!;
        proxy.Pool.SetAdministrative(state, WorkerAdministrativeState.Draining);
        await using var next = await OpenAsync(proxy, Session, "drained.test", token);
        await AssertEchoesAsync(next, token);
        Assert.That((await tors.OpenedAsync($"drained.test:{Network.EchoPort}", token)).Worker, Is.Not.EqualTo(worker));
        Assert.That((state.Administrative, state.Active), Is.EqualTo((WorkerAdministrativeState.Draining, 1)), "the download is still its");
    }

    /// <summary>Reads slowly, the last quarter only when all has been done to it, and gives the hash of the body.</summary>
    private async Task<string> ReadAsync(NetworkStream stream, Task allDone, CancellationToken token)
    {
        string request = $"GET /bytes/{Length} HTTP/1.1\r\nHost: {TestNetwork.OriginName}:{Network.OriginPort}\r\nConnection: "
            + $"close\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), token);
        var head = new List<byte>();
        while (head.Count < 4 || !head[^4..].SequenceEqual("\r\n\r\n"u8.ToArray()))
            head.AddRange(await SocksClient.ReadAsync(stream, 1, token));
        Assert.That(Encoding.ASCII.GetString([.. head]), Does.StartWith("HTTP/1.1 200 "));

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[Step];
        for (int at = 0; at < Length; at += Step)
        {
            if (at == Length / 4 * 3)
                await allDone.WaitAsync(token);
            await stream.ReadExactlyAsync(buffer, token);
            hash.AppendData(buffer);
            await Task.Delay(Pace, token);
        }

        Assert.That(await stream.ReadAsync(buffer, token), Is.Zero, "behind the body");
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private static string Hash()
    {
        byte[] whole = new byte[Length];
        TestPattern.Fill(0, whole);
        return Convert.ToHexString(SHA256.HashData(whole));
    }
}
