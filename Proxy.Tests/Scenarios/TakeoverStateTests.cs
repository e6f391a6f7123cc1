using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>What a takeover leaves as it was although no file has it, and what the old process has to end.</summary>
[SupportedOSPlatform("linux")]
[CancelAfter(60_000)]
[Category(ProgramRun.Native)]
public sealed class TakeoverStateTests
{
    [Test]
    public async Task Key_that_stands_in_no_file_is_handed_over_so_that_circuits_stay(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory();

        // No state directory can be made below a file.
        await using var old = await DaemonUnderTest.StartAsync(
            LameDuckTests.Workers(worker), token, directory, socket: $"unix:{directory}/admin.sock",
            environment: new Dictionary<string, string> { ["STATE_DIRECTORY"] = "/dev/null/state" });
        Assert.That(old.Lines, Has.Some.Contains("The isolation key cannot be kept"));
        var (user, other) = (await TokenAsync(old, worker, "alice", token), await TokenAsync(old, worker, "bob", token));
        Assert.That(user, Is.Not.EqualTo(other));

        await using var next = await old.SucceedAsync(token);
        Assert.That(await old.Exited.WaitAsync(token), Is.Zero);
        Assert.That(await TokenAsync(next, worker, "alice", token), Is.EqualTo(user));
        Assert.That(await TokenAsync(next, worker, "bob", token), Is.EqualTo(other));
        Assert.That(await next.StopAsync(token), Is.Zero);
    }

    [Test]
    public async Task Old_process_ends_its_connections_after_the_drain_time_and_leaves(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory();
        await using var old = await DaemonUnderTest.StartAsync(
            LameDuckTests.Workers(worker) + "[Tunnel]\nDrainTimeout = 1s\n", token, directory, socket: $"unix:{directory}/admin.sock");
        using var tunnel = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await tunnel.ConnectAsync(old.Address, token);
        await using var stream = new NetworkStream(tunnel, ownsSocket: false);
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);

        await using var next = await old.SucceedAsync(token);
        await old.WaitForLineAsync(static line => line.Contains("1 connections go on here to their end", StringComparison.Ordinal), token);
        try
        {
            Assert.That(await stream.ReadAsync(new byte[1], token), Is.Zero);
        }
        catch (IOException)
        {
            // Reset: what is cut is not to look like an end.
        }

        Assert.That(await old.Exited.WaitAsync(token), Is.Zero);
        _ = await TokenAsync(next, worker, "alice", token);
        Assert.That(await next.StopAsync(token), Is.Zero);
    }

    /// <summary>What the worker was given to keep a user's streams apart by.</summary>
    private static async Task<string?> TokenAsync(DaemonUnderTest daemon, FakeTorWorker worker, string user, CancellationToken token)
    {
        int before = worker.Requests.Count;
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(daemon.Address, token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token, user, "x"))[1], Is.Zero);
        return worker.Requests.Skip(before).Single().Password;
    }
}
