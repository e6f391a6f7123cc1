using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary><c>torbalancer run --takeover</c> on real processes: nobody notices, or everything stays as it was.</summary>
[SupportedOSPlatform("linux")]
[Category(ProgramRun.Native)]
public sealed class TakeoverTests
{
    private static readonly TimeSpan RequestInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>50 requests a second, a tunnel that lives through everything, and curl, which hears of an answer that is cut.</summary>
    [TestCase(4), CancelAfter(120_000)]
    [TestCase(20, Category = "Long")]
    public async Task Upgrades_under_load_refuse_nobody_and_keep_tunnel_and_download(int upgrades, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var spare = new FakeTorWorker();
        using var sent = SHA256.Create();
        var finish = new TaskCompletionSource();
        worker.OnStream = (stream, request, stop) => request.Host == "download.example"
            ? DownloadAsync(stream, sent, finish.Task, stop) : FakeTorWorker.EchoAsync(stream, request, stop);
        spare.OnStream = worker.OnStream;
        string directory = DaemonUnderTest.MakeDirectory(), file = Path.Combine(directory, "downloaded");
        await using var first = await StartAsync(worker, spare, directory, token);

        using var tunnel = await OpenAsync(first.Address, "tunnel.example", token, "session-kept-rotate-1000");
        var downloading = ClientProcess.CurlAsync(
            token, "--proxy", $"http://{first}", "--output", file, "http://download.example/file");
        using var stopLoad = CancellationTokenSource.CreateLinkedTokenSource(token);
        var load = LoadAsync(first.Address, stopLoad.Token);
        Assert.That((await CommandAsync(directory, token, "drain", "spare")).ExitCode, Is.Zero);

        var daemons = new Stack<DaemonUnderTest>([first]);
        try
        {
            for (int i = 0; i < upgrades; i++)
            {
                var old = daemons.Peek();
                var next = await old.SucceedAsync(token);
                daemons.Push(next);
                Assert.That(next.Address, Is.EqualTo(first.Address));
                await old.WaitForLineAsync(
                    line => line.Contains(Text($"Process {next.ProcessId} has taken over"), StringComparison.Ordinal), token);
                await next.WaitForLineAsync(
                    line => line.Contains(Text($"Took over from process {old.ProcessId} "), StringComparison.Ordinal), token);
                await EchoAsync(tunnel, Text($"ping {i}"), token);

                // Those that carry nothing leave at once; the first has the tunnel and the download.
                Assert.That(first.Exited.IsCompleted, Is.False);
                if (old != first)
                    Assert.That(await old.Exited.WaitAsync(token), Is.Zero, string.Join('\n', old.Lines));
                Assert.That(await ReadyAsync(directory, token), Is.EqualTo("200"));

                // A takeover of the released file is over before the load has sent much.
                await Task.Delay(RequestInterval * 15, token);
            }

            var last = daemons.Peek();
            var status = await CommandAsync(directory, token, "status");
            Assert.That(status.Output, Does.Contain("took over from process").And.Match(@"spare\s+HEALTHY.*draining"), status.Error);
            (await OpenAsync(first.Address, "a.example", token, "session-kept-rotate-1000")).Dispose();
            Assert.That((await CommandAsync(directory, token, "sessions")).Output, Does.Match(@"\b998\b"), "uses are counted on");
            using (var local = await OpenAsync(new UnixDomainSocketEndPoint(Path.Combine(directory, "p.sock")), "a.example", token))
                await EchoAsync(local, "by the socket's file", token);

            await stopLoad.CancelAsync();
            var (served, failures) = await load;
            TestContext.Out.WriteLine(Text($"{upgrades} upgrades, {served} requests served, {failures.Count} failed"));
            foreach (string line in first.Lines.Where(static line => line.Contains("has taken over", StringComparison.Ordinal)))
                TestContext.Out.WriteLine(line);
            Assert.That(failures, Is.Empty);
            Assert.That(served, Is.GreaterThan(upgrades * 10));

            finish.SetResult();
            var downloaded = await downloading;
            Assert.That(downloaded.ExitCode, Is.Zero, downloaded.Error);
            Assert.That(SHA256.HashData(await File.ReadAllBytesAsync(file, token)), Is.EqualTo(sent.Hash));
            await EchoAsync(tunnel, "to the end", token);
            tunnel.Dispose();
            Assert.That(await first.Exited.WaitAsync(token), Is.Zero, "it leaves with its last connection");
            Assert.That(await last.StopAsync(token), Is.Zero);
            Assert.That(Directory.EnumerateFiles(directory, "*.sock"), Is.Empty, "the files of sockets go with the last one");
        }
        finally
        {
            while (daemons.TryPop(out var daemon) && daemon != first)
                await daemon.DisposeAsync();
        }
    }

    [Test, CancelAfter(120_000)]
    public async Task Process_that_cannot_take_over_leaves_everything_as_it_was(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var spare = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory(), file = Path.Combine(directory, "torbalancer.conf");
        await using var daemon = await StartAsync(worker, spare, directory, token);
        using var stopLoad = CancellationTokenSource.CreateLinkedTokenSource(token);
        var load = LoadAsync(daemon.Address, stopLoad.Token);
        string good = await File.ReadAllTextAsync(file, token);

        // What a new release may not like of its configuration; nobody has been asked for anything then.
        await File.WriteAllTextAsync(file, good + "[Tunnel]\nNoSuchKey = 1\n", token);
        Assert.That(await FailAsync(directory, token), Does.Contain("NoSuchKey"));

        // What is found out when the sockets are there already, and behind that, when the listeners wait for the word.
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await File.WriteAllTextAsync(file, good + $"[Listener:late]\nAddress = {taken.LocalEndpoint}\n", token);
        Assert.That(await FailAsync(directory, token), Does.Contain($"[Listener:late] cannot listen on {taken.LocalEndpoint}"));
        await daemon.WaitForLineAsync(static line => line.Contains("did not take over", StringComparison.Ordinal), token);
        await File.WriteAllTextAsync(
            file, good.Replace("Address = none", $"Address = {taken.LocalEndpoint}", StringComparison.Ordinal), token);
        Assert.That(await FailAsync(directory, token), Does.Contain($"[Admin] Address cannot listen on {taken.LocalEndpoint}"));
        await File.WriteAllTextAsync(file, good, token);

        // Somebody who dies at each step, and who speaks another version.
        string socket = Path.Combine(directory, "admin.sock");
        foreach (var step in Enum.GetValues<TakeoverStep>())
        {
            // The one before may not have been noticed to be gone.
            string said = await TakeoverClient.GoAsync(socket, step, token);
            while (said.Contains("another process", StringComparison.Ordinal))
                said = await TakeoverClient.GoAsync(socket, step, token);
            Assert.That(said, Does.Match(step == TakeoverStep.OtherVersion ? "speaks version 99 .* this daemon version 2" : "^$"));
        }

        // Neither over TCP nor without an upgrade.
        var plain = await ClientProcess.CurlAsync(
            token, "--unix-socket", socket, "--request", "POST", "--write-out", "%{http_code}", "http://localhost/api/v1/takeover");
        Assert.That(plain.Output, Does.EndWith("426"));

        // It goes on, and another one may take over afterwards.
        Assert.That(await ReadyAsync(directory, token), Is.EqualTo("200"));
        await using (var next = await daemon.SucceedAsync(token))
        {
            Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);
            await Task.Delay(RequestInterval * 30, token);
            await stopLoad.CancelAsync();
            var (served, failures) = await load;
            Assert.That(failures, Is.Empty);
            Assert.That(served, Is.GreaterThan(20));
            Assert.That(await next.StopAsync(token), Is.Zero);
        }
    }

    /// <summary>However long a process takes to start, clients are served by the old one, and again when nothing comes of it.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Clients_wait_for_the_last_moment_alone(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var spare = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory(), socket = Path.Combine(directory, "admin.sock");
        await using var daemon = await StartAsync(worker, spare, directory, token);

        async Task AskAsync(string text)
        {
            using var client = await OpenAsync(daemon.Address, "a.example", token);
            await EchoAsync(client, text, token);
        }

        await TakeoverClient.GoAsync(socket, TakeoverStep.HasState, token, async () =>
        {
            await AskAsync("while the other one starts");
            using var local = await OpenAsync(new UnixDomainSocketEndPoint(Path.Combine(directory, "p.sock")), "a.example", token);
            await EchoAsync(local, "by a unix socket", token);
            Assert.That(await ReadyAsync(directory, token), Is.EqualTo("200"));
            Assert.That((await CommandAsync(directory, token, "status")).ExitCode, Is.Zero);

            // One at a time, in words.
            Assert.That(await FailAsync(directory, token), Does.Contain("another process is taking over already"));
        });

        var waiting = Task.CompletedTask;
        await TakeoverClient.GoAsync(socket, TakeoverStep.HasChanges, token, () =>
        {
            waiting = AskAsync("while nobody accepts");
            return Task.CompletedTask;
        });
        await waiting;

        // One that is too slow can no longer say that it accepts: so it never happens that both do, or neither.
        bool couldSay = await TakeoverClient.TryToAcceptLateAsync(
            socket,
            () => daemon.WaitForLineAsync(
                static line => line.Contains("which ended before it accepted (it took too long", StringComparison.Ordinal), token), token);
        Assert.That(couldSay, Is.False);
        await AskAsync("again");
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    private static Task<DaemonUnderTest> StartAsync(
        FakeTorWorker worker, FakeTorWorker spare, string directory, CancellationToken token) =>
        DaemonUnderTest.StartAsync(
            $"""
            {LameDuckTests.Workers(worker)}
            [Worker:spare]
            Address = 127.0.0.1
            SocksPort = {((IPEndPoint)spare.EndPoint).Port}
            [Listener:local]
            Address = unix:{directory}/p.sock
            [Readiness]
            Address = 127.0.0.1:{FreePort.Find()}
            Agent = 127.0.0.1:{FreePort.Find()}
            [Tunnel]
            DrainTimeout = 1h

            """, token, directory, socket: $"unix:{directory}/admin.sock");

    /// <summary>A process that is to take over and cannot; what it said.</summary>
    private static async Task<string> FailAsync(string directory, CancellationToken token)
    {
        var run = await CommandAsync(directory, token, "run", "--takeover");
        Assert.That(run.ExitCode, Is.EqualTo(1), run.Output + run.Error);
        return run.Error;
    }

    private static Task<ProgramResult> CommandAsync(string directory, CancellationToken token, params string[] command) =>
        ProgramRun.RunAsync(ProgramRun.Daemon, [.. command, "--config", Path.Combine(directory, "torbalancer.conf")], token);

    /// <summary>The status of /readyz.</summary>
    private static async Task<string> ReadyAsync(string directory, CancellationToken token)
    {
        string conf = await File.ReadAllTextAsync(Path.Combine(directory, "torbalancer.conf"), token);
        string address = conf.Split('\n').SkipWhile(static line => line != "[Readiness]").ElementAt(1)["Address = ".Length..];
        return (await ClientProcess.CurlAsync(
            token, "--output", "/dev/null", "--write-out", "%{http_code}", $"http://{address}/readyz")).Output;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Writes pieces until told to finish.</summary>
    private static async Task DownloadAsync(NetworkStream stream, SHA256 hash, Task finish, CancellationToken token)
    {
        byte[] request = new byte[4096];
        Assert.That(await stream.ReadAsync(request, token), Is.Positive);
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"u8.ToArray(), token);
        byte[] piece = new byte[16 * 1024];
        while (!finish.IsCompleted)
        {
            RandomNumberGenerator.Fill(piece);
            hash.TransformBlock(piece, 0, piece.Length, null, 0);
            await stream.WriteAsync((byte[])[.. "4000\r\n"u8, .. piece, .. "\r\n"u8], token);
            await Task.WhenAny(finish, Task.Delay(10, token));
        }

        hash.TransformFinalBlock([], 0, 0);
        await stream.WriteAsync("0\r\n\r\n"u8.ToArray(), token);
        stream.Socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Each over a connection of its own; how many were served, and what became of the others.</summary>
    private static async Task<(int Served, List<string> Failures)> LoadAsync(IPEndPoint proxy, CancellationToken stop)
    {
        var running = new List<Task<string>>();
        using var timer = new PeriodicTimer(RequestInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                running.Add(RequestAsync(proxy, running.Count));
        }
        catch (OperationCanceledException)
        {
            // Enough.
        }

        string[] all = await Task.WhenAll(running);
        return (all.Count(static one => one.Length == 0), [.. all.Where(static one => one.Length > 0)]);
    }

    private static async Task<string> RequestAsync(IPEndPoint proxy, int number)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        long began = Stopwatch.GetTimestamp();
        try
        {
            using var socket = await OpenAsync(proxy, "a.example", patience.Token);
            await EchoAsync(socket, Text($"request {number}"), patience.Token);
            return "";
        }
        catch (Exception failure)
        {
            return $"request {number} after {Stopwatch.GetElapsedTime(began)}: {failure.Message}";
        }
    }

    private static async Task<Socket> OpenAsync(EndPoint proxy, string host, CancellationToken token, string? user = null)
    {
        var socket = new Socket(proxy.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(proxy, token);
            var stream = new NetworkStream(socket, ownsSocket: false);
            byte reply = (await SocksClient.RequestAsync(stream, host, 80, token, user, user is null ? null : "x"))[1];
            return reply == 0 ? socket : throw new IOException(Text($"REP {reply}"));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task EchoAsync(Socket socket, string text, CancellationToken token)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        byte[] sent = Encoding.UTF8.GetBytes(text), back = new byte[sent.Length];
        await stream.WriteAsync(sent, token);
        await stream.ReadExactlyAsync(back, token);
        if (!back.AsSpan().SequenceEqual(sent))
            throw new IOException($"'{text}' came back as '{Encoding.UTF8.GetString(back)}'");
    }
}
