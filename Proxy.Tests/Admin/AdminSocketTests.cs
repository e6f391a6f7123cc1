using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Daemon.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

[SupportedOSPlatform("linux")]
public class AdminSocketTests
{
    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tba").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, true);

    [TestCase("none", null, null, null)]
    [TestCase("unix:/x/y", "/run/torbalancer", "/tmp", "/x/y")]
    [TestCase("auto", "/run/torbalancer", "/tmp", "/run/torbalancer/admin.sock")]
    [TestCase("auto", "/run/a:/run/b", null, "/run/a/admin.sock")]
    [TestCase("auto", null, "/tmp", "/tmp/torbalancer/admin.sock")]
    [TestCase("auto", null, "/nonexistent", "/tmp/torbalancer-7/admin.sock")]
    [TestCase("auto", null, null, "/tmp/torbalancer-7/admin.sock")]
    public void Resolve_goes_from_the_service_to_the_user(string configured, string? runtime, string? user, string? path) => Assert.That(
        AdminSocket.Resolve(configured, name => name == "RUNTIME_DIRECTORY" ? runtime : name == "XDG_RUNTIME_DIR" ? user : null, 7),
        Is.EqualTo(path));

    [Test, CancelAfter(30_000)]
    public async Task Socket_answers_and_only_its_user_may_connect(CancellationToken token)
    {
        string path = Path.Combine(_directory, "run", "admin.sock");
        var (place, _) = await AdminSocket.TakeAsync(path, true, token);
        using var held = place;
        Assert.That(place, Is.Not.Null);
        await using var admin = await AdminUnderTest.StartAsync([], socket: place!.BindPath);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stop);
                return new NetworkStream(socket, true);
            },
        });

        await AdminUnderTest.ReadAsync(await client.GetAsync("http://torbalancer/api/v1/health", token), HttpStatusCode.OK, token);

        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(AdminSocket.Mode));
        Assert.That(
            File.GetUnixFileMode(Path.GetDirectoryName(path)!),
            Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        Assert.That((await AdminSocket.TakeAsync(path, true, token)).Trouble, Is.EqualTo("another daemon answers there"));
    }

    [Test, CancelAfter(30_000)]
    public async Task Prepare_takes_away_a_dead_socket_and_no_other_file(CancellationToken token)
    {
        string dead = Path.Combine(_directory, "dead"), file = Path.Combine(_directory, "file");
        using (var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            listener.Bind(new UnixDomainSocketEndPoint(dead + "2"));
            File.Move(dead + "2", dead);
        }

        await File.WriteAllTextAsync(file, "precious", token);

        Assert.That(File.Exists(dead), Is.True);
        Assert.That((await AdminSocket.TakeAsync(dead, false, token)).Place, Is.Not.Null);
        Assert.That(File.Exists(dead), Is.False);
        Assert.That((await AdminSocket.TakeAsync(file, false, token)).Trouble, Is.EqualTo("what is there is no socket"));
        Assert.That(File.Exists(file), Is.True);
        Assert.That((await AdminSocket.TakeAsync(_directory, false, token)).Trouble, Is.EqualTo("what is there is a directory"));
    }

    [Test, CancelAfter(30_000)]
    [Category(ProgramRun.Native)]
    public async Task Run_with_a_taken_admin_address_says_so_in_one_sentence(CancellationToken token)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();

        var result = await ProgramRun.RunAsync(
            ProgramRun.Daemon,
            [
                "run", "--config", "/dev/null", "--Listener:main:Address=127.0.0.1:0", $"--Admin:Address={taken.LocalEndpoint}",
                "--Admin:Socket=none", "--Worker:w1:SocksPort=9",
            ],
            token);

        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(
            result.Error.Trim(),
            Is.EqualTo($"torbalancer: [Admin] Address cannot listen on {taken.LocalEndpoint}: Address already in use"));
        Assert.That(result.Output, Does.Not.Contain("   at "));
    }

    [Test, CancelAfter(60_000)]
    [Category(ProgramRun.Native)]
    public async Task Run_whose_automatic_socket_cannot_be_had_goes_on_without_it(CancellationToken token)
    {
        // It is no socket that could be taken away.
        string path = Path.Combine(_directory, "torbalancer", "admin.sock");
        Directory.CreateDirectory(path);
        await using var daemon = await DaemonUnderTest.StartAsync(
            "[Health]\nEnabled = no\n[Worker:w1]\nSocksPort = 9\n", token, under: ["/usr/bin/env", $"XDG_RUNTIME_DIR={_directory}"],
            admin: "Address = 127.0.0.1:0", socket: "auto");

        string trouble = $"No socket for the command line at {path}: what is there is a directory";
        await daemon.WaitForLineAsync(line => line.Contains(trouble, StringComparison.Ordinal), token);
        await daemon.WaitForLineAsync(static line => line.Contains("Admin API on 127.0.0.1:", StringComparison.Ordinal), token);
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    [Test, CancelAfter(60_000)]
    public async Task Run_with_the_default_admin_address_taken_goes_on_without_it(CancellationToken token)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 1081);
        try
        {
            taken.Start();
        }
        catch (SocketException)
        {
            // Somebody else has it, which serves as well.
        }

        await using var daemon = await DaemonUnderTest.StartAsync(
            "[Health]\nEnabled = no\n[Worker:w1]\nSocksPort = 9\n", token, admin: "");
        await daemon.WaitForLineAsync(
            static line =>
                line.Contains("No admin API over TCP: [Admin] Address cannot listen on 127.0.0.1:1081", StringComparison.Ordinal),
            token);
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }
}
