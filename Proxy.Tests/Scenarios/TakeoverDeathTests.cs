using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The running daemon's part of a takeover ends in the midst: one of the two serves, and never both.</summary>
[SupportedOSPlatform("linux")]
[CancelAfter(60_000)]
[Category(ProgramRun.Native)]
public sealed class TakeoverDeathTests
{
    private string _directory = "";

    private string AdminSocket => Path.Combine(_directory, "admin.sock");

    [SetUp]
    public void MakeDirectory() => _directory = DaemonUnderTest.MakeDirectory();

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    /// <summary>Nobody goes on there; or it has heard that this one serves, and counts on it.</summary>
    [TestCase("ready", true, "it ended before it had handed over everything")]
    [TestCase(TakeoverWord.Stands, true, "it ended before it had handed over everything")]
    [TestCase(TakeoverWord.Done, true, "the other side has closed the connection")]
    [TestCase(TakeoverWord.Done, false, "the other side has closed the connection")]
    public async Task New_process_serves(string after, bool dies, string said, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string file = await ConfigureAsync(worker, token);
        using var old = new FakePredecessor(AdminSocket);
        var talking = old.RunAsync(after, dies, token);
        await using var daemon = await DaemonUnderTest.StartFileAsync(file, _directory, [], token, "--takeover");
        await talking;

        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await using (var stream = new NetworkStream(await ConnectedAsync(socket), ownsSocket: true))
            Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);
        Assert.That(daemon.Lines, Has.Some.Contains($"did not end the takeover as it should: {said}"));
        Assert.That(await daemon.StopAsync(token), Is.Zero);
        Assert.That(File.Exists(AdminSocket), Is.False, "the file is this one's");

        async Task<Socket> ConnectedAsync(Socket client)
        {
            await client.ConnectAsync(daemon.Address, token);
            return client;
        }
    }

    [TestCase("ready")]
    [TestCase(TakeoverWord.Stands)]
    public async Task New_process_ends_when_the_old_one_goes_on(string after, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string file = await ConfigureAsync(worker, token);
        using var old = new FakePredecessor(AdminSocket);
        var talking = old.RunAsync(after, dies: false, token);
        var run = await ProgramRun.RunAsync(ProgramRun.Daemon, ["run", "--takeover", "--config", file], token);
        await talking;

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((1, run.Error)), run.Output);
        Assert.That(run.Error, Does.Contain("the running daemon goes on, and did not hand over"));
        Assert.That(run.Output, Does.Not.Contain(" Ready: "));
        Assert.That(File.Exists(AdminSocket), Is.True, "the file is the other one's");
    }

    private async Task<string> ConfigureAsync(FakeTorWorker worker, CancellationToken token)
    {
        string file = Path.Combine(_directory, "torbalancer.conf");
        await File.WriteAllTextAsync(
            file,
            $"[Listener:main]\nAddress = 127.0.0.1:0\n[Admin]\nAddress = none\nSocket = unix:{AdminSocket}\n"
                + LameDuckTests.Workers(worker), token);
        return file;
    }
}
