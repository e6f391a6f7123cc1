using System.Net.Sockets;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// The kernel itself refuses to accept, as it does when the whole machine is short of something: strace(1) has accept4 fail with the errno.
/// What the process alone is short of is in <see cref="ExhaustionTests"/>.
/// </summary>
[CancelAfter(60_000)]
public sealed class AcceptErrorsTests
{
    [TestCase("linux", "EMFILE", "TooManyOpenSockets")]
    [TestCase("linux", "ENFILE", "TooManyOpenSockets")]
    [TestCase("linux", "ENOBUFS", "NoBufferSpaceAvailable")]
    [TestCase("linux", "ENOMEM", "NoBufferSpaceAvailable")]
    [TestCase("sockets", "EMFILE", "TooManyOpenSockets")]
    [TestCase("sockets", "ENFILE", "TooManyOpenSockets")]
    [TestCase("sockets", "ENOBUFS", "NoBufferSpaceAvailable")]
    [TestCase("sockets", "ENOMEM", "SocketError")] // .NET has no word for it.
    public async Task Client_that_could_not_be_accepted_waits_and_is_served(
        string engine, string errno, string said, CancellationToken token)
    {
        await SystemCalls.RequireAsync(token);
        await using var worker = new FakeTorWorker();
        await using var daemon = await DaemonUnderTest.StartAsync(
            LameDuckTests.Workers(worker) + $"[Tunnel]\nDrainTimeout = 0s\n[Engine]\nTransport = {engine}\n", token,
            under:
            [
                ClientProcess.Require("strace"), "-D", "-f", "--seccomp-bpf", "-q", "-o", "/dev/null", "-e", "trace=accept4", "-e",
                $"inject=accept4:error={errno}:when=1..4",
            ]);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(daemon.Address, token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);

        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);
        Assert.That(
            daemon.Lines.Count(line => line.Contains($"Listener main pauses: {said}", StringComparison.Ordinal)), Is.EqualTo(1),
            "said once, however often it fails");
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }
}
