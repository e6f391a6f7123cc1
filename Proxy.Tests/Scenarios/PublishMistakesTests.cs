using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>torbalancer publish as a process, and who asks it for what cannot be. There is no tor: it goes on looking for one.</summary>
[SupportedOSPlatform("linux")]
public sealed class PublishMistakesTests
{
    private string _directory = "";

    private string Socket => Path.Combine(_directory, "status");

    private string Configuration => Path.Combine(_directory, "publish.conf");

    [SetUp]
    public void WriteConfiguration()
    {
        _directory = Directory.CreateTempSubdirectory("tbp").FullName;
        string key = Path.Combine(_directory, "main.key");
        using var identity = IdentityKey.Generate();
        File.WriteAllBytes(key, TorKeyFiles.Secret(identity));
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(Configuration, $"""
            [Publisher]
            ControlPort = unix:{_directory}/none
            Status = unix:{Socket}
            [OnionService:shop]
            Key = {key}
            [Instance:shop/a]
            Address = {Instances.All[0].Address}
            [Instance:shop/b]
            Address = {Instances.All[1].Address}
            """);
    }

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test, CancelAfter(60_000), Category(ProgramRun.Native)]
    public async Task Publisher_that_runs_answers_whoever_asks_for_what_cannot_be(CancellationToken token)
    {
        await using var publisher = ForegroundProcess.Start([ProgramRun.Daemon, "publish", "--config", Configuration]);
        await publisher.WaitForLineAsync($"Status on unix:{Socket}", token);
        await publisher.WaitForLineAsync("there is no such socket", token);

        // Who only looks whether somebody is there, as a second publisher does.
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket), token);
        var second = await ProgramRun.RunAsync(ProgramRun.Daemon, ["publish", "--config", Configuration], token);
        Assert.That(second.ExitCode, Is.EqualTo(1));
        Assert.That(second.Error, Does.Contain($"[Publisher] Status cannot listen on {Socket}: another daemon answers there"));

        var status = await RunAsync(token, "status");
        Assert.That(status.ExitCode, Is.EqualTo(1));
        Assert.That(
            status.Output,
            Does.Contain("tor is not connected").And.Contain("there is no such socket").And.Contain("nothing published yet"));
        await RefusesAsync(1, "there is no instance 'shop/nope'", token, "drain", "shop", "nope");
        await RefusesAsync(1, "there is no instance 'nope/a'", token, "enable", "nope", "a");
        await RefusesAsync(2, "'shop/a' is no name", token, "drain", "shop/a", "b");
        await RefusesAsync(2, "'..' is no name", token, "drain", "..", "..");
        await RefusesAsync(2, "'' is no name", token, "enable", "shop", "");
        Assert.That((await RunAsync(token, "drain", "shop", "a")).Output, Is.EqualTo("shop/a: drained, until it is enabled\n"));
        await RefusesAsync(1, "shop/b is the last instance of shop that is not drained", token, "drain", "shop", "b");

        // It has seen all of them by now.
        Assert.That(publisher.ToString(), Does.Not.Contain("Exception").And.Not.Contain("ERROR"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Place_of_the_status_socket_that_is_no_socket_is_left_alone(CancellationToken token)
    {
        await File.WriteAllTextAsync(Socket, "precious", token);

        var file = await ProgramRun.RunAsync(ProgramRun.Daemon, ["publish", "--config", Configuration], token);
        Assert.That((file.ExitCode, file.Error), Is.EqualTo(
            (1, $"torbalancer: [Publisher] Status cannot listen on {Socket}: what is there is no socket\n")));
        Assert.That(await File.ReadAllTextAsync(Socket, token), Is.EqualTo("precious"));

        File.Delete(Socket);
        await RefusesAsync(3, $"no publisher answers at {Socket}: there is no such socket", token, "status");
    }

    private Task<ProgramResult> RunAsync(CancellationToken token, params string[] words) =>
        ProgramRun.RunAsync(ProgramRun.Daemon, ["onion", .. words, "--config", Configuration], token);

    private async Task RefusesAsync(int code, string why, CancellationToken token, params string[] words)
    {
        var done = await RunAsync(token, words);
        Assert.That((done.ExitCode, done.Output), Is.EqualTo((code, "")));
        Assert.That(done.Error, Does.StartWith($"torbalancer onion {words[0]}: ").And.Contain(why));
    }
}
