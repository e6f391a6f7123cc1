using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Tor;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.Tor;

/// <summary>Managed workers and typed events in the private network: a whole bootstrap, a stream with its circuit, a crash.</summary>
public sealed class ManagedTorWorkersNetworkTests
{
    private readonly RecordingWorkerSink _sink = new();
    private string _directory = "";

    [SetUp]
    public void SetUp() => _directory = Directory.CreateTempSubdirectory("tbn").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [Test, CancelAfter(180_000)]
    public async Task A_worker_bootstraps_carries_a_stream_that_events_describe_and_comes_back_after_a_crash(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        var paths = new ManagedWorkerPaths(Path.Combine(_directory, "state"), Path.Combine(_directory, "run"));
        string extra = Path.Combine(_directory, "extra");
        await File.WriteAllLinesAsync(extra, network.ClientTorrc, token);
        await using var workers = new ManagedTorWorkers(
            new ManagedWorkersOptions { Count = 1, ExtraTorrc = extra }, RealTor.Executable, paths, _sink, NullLogger.Instance,
            TimeProvider.System);
        workers.Start();
        var ready = await UntilAsync("ready", token);

        await using var control = await ControlConnection.ConnectAsync(
            ready.Control!, new ControlCredentials(ready.Text), ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System,
            token);
        using var subscription = control.Subscribe();
        await control.SetEventsAsync(
            [
                "CIRC", "CIRC_MINOR", "STREAM", "ORCONN", "GUARD", "BUILDTIMEOUT_SET", "HS_DESC", "STATUS_CLIENT", "STATUS_GENERAL",
                "NETWORK_LIVENESS",
            ],
            token);

        byte[] reply = await ConnectAsync(ready, "<torS0X>0", "a\"b\\\u0001\u00ff", TestNetwork.OriginName, network.OriginPort, token);
        Assert.That(reply[1], Is.Zero, "SOCKS reply");

        StreamInfo? opened = null;
        while (opened is null)
        {
            var message = await subscription.Events.ReadAsync(token);
            Assert.That(message, Is.Not.InstanceOf<GenericEvent>(), message.Name);
            opened = message is StreamEvent { Stream: { Status: StreamStatus.Succeeded } stream } && stream.SocksPassword?.Length > 1
                ? stream
                : null;
        }

        Assert.That((opened.Keywords["SOCKS_USERNAME"], opened.SocksPassword), Is.EqualTo(("<torS0X>0", "a\"b\\\u0001\u00ff")));
        var circuit = (await control.GetInfoLinesAsync("circuit-status", token))
            .Select(line => CircuitInfo.TryParse(line)!)
            .Single(one => one.Id == opened.CircuitId);
        Assert.That(circuit.Status, Is.EqualTo(CircuitStatus.Built));
        Assert.That(
            circuit.Path, Has.Count.EqualTo(3).And.All.Matches<RelayName>(hop => hop.Fingerprint.Length == 40 && hop.Nickname is not null));
        Assert.That(circuit.TimeCreated, Is.Not.Null);

        using (
            var process = Process.GetProcessById(int.Parse(await control.GetInfoAsync("process/pid", token), CultureInfo.InvariantCulture)))
            process.Kill();
        Assert.That((await UntilAsync("down", token)).Text, Does.Contain("137"));
        ready = await UntilAsync("ready", token);
        Assert.That((await ConnectAsync(ready, "<torS0X>0", "again", TestNetwork.OriginName, network.OriginPort, token))[1], Is.Zero);
    }

    private async Task<WorkerCall> UntilAsync(string kind, CancellationToken token)
    {
        while (true)
        {
            var call = await _sink.NextAsync(token);
            TestContext.Progress.WriteLine(call);
            if (call.Kind == kind)
                return call;
        }
    }

    private static async Task<byte[]> ConnectAsync(
        WorkerCall worker, string user, string password, string host, int port, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(worker.Socks!, token);
        await using var stream = new NetworkStream(socket);
        byte[] name = Encoding.Latin1.GetBytes(user), secret = Encoding.Latin1.GetBytes(password), target = Encoding.ASCII.GetBytes(host);
        byte[] answers = new byte[4];
        await stream.WriteAsync((byte[])[5, 1, 2], token);
        await stream.ReadExactlyAsync(answers.AsMemory(0, 2), token);
        await stream.WriteAsync((byte[])[1, (byte)name.Length, .. name, (byte)secret.Length, .. secret], token);
        await stream.ReadExactlyAsync(answers.AsMemory(2, 2), token);
        Assert.That(answers, Is.EqualTo(new byte[] { 5, 2, 1, 0 }));
        await stream.WriteAsync((byte[])[5, 1, 0, 3, (byte)target.Length, .. target, (byte)(port >> 8), (byte)port], token);
        await stream.ReadExactlyAsync(answers, token);
        return answers;
    }
}
