using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using TorBalancer.Authentication;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Authentication;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Users in a file that Apache's own tool has made, and real curl on both protocols.</summary>
[SupportedOSPlatform("linux")]
public sealed class UsersFileTests
{
    private const string Answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

    [Test, CancelAfter(120_000)]
    [Category(ProgramRun.Native)]
    public async Task Users_of_htpasswd_mkpasswd_and_openssl_log_in_and_the_file_changes_while_the_daemon_runs(CancellationToken token)
    {
        string htpasswd = ClientProcess.Require("htpasswd");
        ClientProcess.Require("mkpasswd");
        ClientProcess.Require("openssl");
        string directory = DaemonUnderTest.MakeDirectory();
        string users = Path.Combine(directory, "users");
        await File.WriteAllTextAsync(users, "# people\n", token);
        File.SetUnixFileMode(users, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        foreach (var (kind, name) in ((string, string)[])[("-B", "bcrypt"), ("-2", "sha256"), ("-5", "sha512")])
            await RunAsync(htpasswd, [$"-b{kind[1..]}", users, name, $"pw of {name}"], token);
        string yescrypt = (await RunAsync("mkpasswd", ["-m", "yescrypt", "pw of yescrypt"], token)).Trim();
        string openssl = (await RunAsync("openssl", ["passwd", "-6", "pw of openssl"], token)).Trim();
        await File.AppendAllTextAsync(users, $"yescrypt:{yescrypt}\nopenssl:{openssl}\nplain:pw of plain\n", token);

        await using var worker = new FakeTorWorker { OnStream = ServeAsync };
        await using var daemon = await DaemonUnderTest.StartAsync(
            "[Listener:users]\nAddress = 127.0.0.1:0\nAuth = required\nUsersFile = users\n[Health]\nEnabled = no\n"
                + $"[Worker:w1]\nSocksPort = {((IPEndPoint)worker.EndPoint).Port}\n",
            token, directory);
        string listening = await daemon.WaitForLineAsync(
            static line => line.Contains("Listener users on ", StringComparison.Ordinal), token);
        string address = listening[(listening.LastIndexOf(' ') + 1)..];

        foreach (string name in (string[])["bcrypt", "sha256", "sha512", "yescrypt", "openssl", "plain"])
        {
            await AssertInAsync("socks5h", address, name, $"pw of {name}", token);
            await AssertInAsync("http", address, name + "-session-abc", $"pw of {name}", token);
            await AssertOutAsync(name.StartsWith('s') ? "socks5h" : "http", address, name, "guess", token);
        }

        await AssertOutAsync("http", address, "nobody", "pw of bcrypt", token);
        await AssertOutAsync("socks5h", address, "nobody", "pw of bcrypt", token);

        // A live connection of a user who goes.
        using var live = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await live.ConnectAsync(IPEndPoint.Parse(address), token);
        await using var stream = new NetworkStream(live);
        Assert.That((await SocksClient.RequestAsync(stream, "echo.test", 80, token, "bcrypt", "pw of bcrypt"))[1], Is.Zero);

        // htpasswd writes into the file; our own command puts another one in its place.
        await RunAsync(htpasswd, ["-D", users, "bcrypt"], token);
        await daemon.WaitForLineAsync(IsTaken, token);
        await AssertOutAsync("socks5h", address, "bcrypt", "pw of bcrypt", token);
        await stream.WriteAsync("still here"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(stream, 10, token), Is.EqualTo("still here"u8.ToArray()));

        var added = await ClientProcess.RunAsync(
            ProgramRun.Daemon, ["user", "add", "--file", users, "carol"], token, input: "pw of carol"u8.ToArray());
        Assert.That(added.ExitCode, Is.Zero, added.Error);
        await daemon.WaitForLineAsync(IsTaken, token, after: 1);
        await AssertInAsync("http", address, "carol", "pw of carol", token);

        // A file that cannot be taken changes nothing.
        string broken = users + ".broken";
        await File.WriteAllTextAsync(broken, "carol:$apr1$sr.FbJTf$gQlt0owaMz/3b30ZrfNlZ1\n", token);
        File.Move(broken, users, overwrite: true);
        await daemon.WaitForLineAsync(
            static line => line.Contains("cannot be taken; who could log in before", StringComparison.Ordinal), token);
        await daemon.WaitForLineAsync(
            static line => line.Contains("users:1: the line has a hash of kind $apr1$, which cannot be verified", StringComparison.Ordinal),
            token);
        await AssertInAsync("socks5h", address, "carol", "pw of carol", token);

        Assert.That(daemon.Lines, Has.Some.Contains("1 of 6 passwords is in plain text"), "at the start");
        Assert.That(daemon.Lines, Has.Some.Contains("1 of 5 passwords is in plain text"), "of the file that has changed");
        Assert.That(string.Join('\n', daemon.Lines), Does.Not.Contain("pw of"));
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    [Test, CancelAfter(30_000)]
    public async Task Attempts_over_the_bound_are_429_and_a_refused_login(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { OnStream = ServeAsync };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].FailedLogins = 2;
            options.Listeners[0].Users["ann"] = PasswordsUnderTest.Hash("secret");
        });
        string address = proxy.Address.ToString();
        string[] head = ["-o", "-", "-i", "http://web.test/"];

        for (int i = 0; i < 2; i++)
            Assert.That((await CurlAsync("http", address, "ann", $"guess{i}", token, head)).Output, Does.StartWith("HTTP/1.1 407 "));
        var over = await CurlAsync("http", address, "ann", "guess2", token, head);
        Assert.That(over.Output, Does.StartWith("HTTP/1.1 429 Too Many Requests\r\n").And.Match("\r\nRetry-After: (29|30)\r\n"));
        Assert.That(over.Output, Does.Contain("cause=too_many_failed_logins"));
        var socks = await CurlAsync("socks5h", address, "ann", "secret", token, "http://web.test/");
        Assert.That((socks.ExitCode, socks.Error), Is.EqualTo((97, socks.Error)));
        Assert.That(socks.Error, Does.Contain("User was rejected by the SOCKS5 server"));
        Assert.That(proxy.Get<PasswordHashing>().Computed, Is.EqualTo(2));
    }

    /// <summary>No timing is judged: the bystander's 50 connections are carried while the others still wait for their answers.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Wrong_passwords_of_200_clients_do_not_hold_up_who_is_known(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { OnStream = ServeAsync };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].FailedLogins = 0;
            options.Listeners[0].Users["ann"] = PasswordsUnderTest.Hash("secret", "$6$", 200_000);
            options.Listeners[0].Users["bystander"] = PasswordsUnderTest.Hash("known");
        });
        var hashing = proxy.Get<PasswordHashing>();
        await AssertCarriedAsync(proxy, token);
        Assert.That(hashing.Computed, Is.EqualTo(1));

        int answered = 0;
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(token);
        var attacks = Enumerable.Range(0, 200).Select(async i =>
        {
            await using var stream = await proxy.ConnectAsync();
            await stream.WriteAsync(new byte[] { 5, 1, 2 }, enough.Token);
            await SocksClient.ReadAsync(stream, 2, enough.Token);
            await stream.WriteAsync(SocksClient.Auth("ann", $"guess{i}"), enough.Token);
            byte[] answer = await SocksClient.ReadAsync(stream, 2, enough.Token);
            Interlocked.Increment(ref answered);
            Assert.That(answer, Is.EqualTo(new byte[] { 1, 1 }));
        }).ToArray();
        while (hashing.Computed < 2)
            await Task.Delay(5, token);

        for (int i = 0; i < 50; i++)
            await AssertCarriedAsync(proxy, token);
        Assert.That(Volatile.Read(ref answered), Is.LessThan(200), "they wait, and the bystander does not");
        await enough.CancelAsync();
        foreach (var attack in attacks)
            await ((Task)attack).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task AssertCarriedAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        await using var stream = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, "echo.test", 80, token, "bystander", "known"))[1], Is.Zero);
    }

    private static async Task AssertInAsync(string scheme, string address, string user, string password, CancellationToken token)
    {
        var result = await CurlAsync(scheme, address, user, password, token, "http://web.test/");
        Assert.That((result.ExitCode, result.Output), Is.EqualTo((0, "ok\n")), $"{scheme} {user}: {result.Error}");
    }

    private static async Task AssertOutAsync(string scheme, string address, string user, string password, CancellationToken token)
    {
        var result = await CurlAsync(scheme, address, user, password, token, "--fail", "http://web.test/");
        Assert.That(
            (result.ExitCode, result.Error), Is.EqualTo((scheme == "http" ? 22 : 97, result.Error)), $"{scheme} {user}: {result.Output}");
        Assert.That(result.Error, Does.Contain(scheme == "http" ? "407" : "User was rejected by the SOCKS5 server"));
    }

    private static Task<ClientResult> CurlAsync(
        string scheme, string address, string user, string password, CancellationToken token, params string[] more) =>
        ClientProcess.CurlAsync(token, ["-x", $"{scheme}://{address}", "--proxy-user", $"{user}:{password}", .. more]);

    private static bool IsTaken(string line) => line.Contains("A file of users has changed: ", StringComparison.Ordinal);

    private static async Task<string> RunAsync(string program, IEnumerable<string> arguments, CancellationToken token)
    {
        var result = await ProgramRun.RunAsync(program, arguments, token);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return result.Output;
    }

    /// <summary>A web server behind the worker, or an echo for the host of that name.</summary>
    private static async Task ServeAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        if (request.Host == "echo.test")
        {
            await FakeTorWorker.EchoAsync(stream, request, token);
            return;
        }

        var head = new StringBuilder();
        var buffer = new byte[4096];
        while (!head.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
        {
            int count = await stream.ReadAsync(buffer, token);
            if (count == 0)
                return;
            head.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes(Answer), token);
        stream.Socket.Shutdown(SocketShutdown.Send);
    }
}
