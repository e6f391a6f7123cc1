using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// Seen by the kernel: while clients of every protocol ask for names, unknown names and onion services, the daemon
/// connects to its workers and to nobody else, sends no datagram, and never looks at how this machine resolves names.
/// </summary>
public sealed class NothingElseLeavesTests : ScenarioFixture
{
    [Test, CancelAfter(120_000)]
    [Category(ProgramRun.Native)]
    public async Task Daemon_connects_to_workers_only_and_resolves_nothing(CancellationToken token)
    {
        await SystemCalls.RequireAsync(token);
        string directory = DaemonUnderTest.MakeDirectory();
        string trace = Path.Combine(directory, "strace");
        IReadOnlyList<string> lines;
        await using (var daemon = await DaemonUnderTest.StartAsync(
            DaemonUnderTest.ConfigurationFor(Network), token, directory, SystemCalls.Command(trace)))
        {
            await AskForEverythingAsync(daemon, token);
            Assert.That(await daemon.StopAsync(token), Is.Zero, string.Join('\n', daemon.Lines));
            lines = await ReadWhenCompleteAsync(trace, daemon.ProcessId, token);
        }

        var calls = new SystemCalls(lines);
        string[] workers = [.. Network.Workers.Select(static worker => $"127.0.0.1:{worker.SocksPort}")];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(calls.Connects.Keys, Is.EquivalentTo(workers));
            Assert.That(calls.Connects.Values.Sum(), Is.GreaterThanOrEqualTo(12), "a trace that shows nothing proves nothing");

            // The control sockets of the workers are files of this machine.
            Assert.That(
                calls.OtherConnects.Where(
                    call => !Network.Workers.Any(worker => call.Contains($"\"{worker.ControlPath}\"", StringComparison.Ordinal))),
                Is.Empty);
            Assert.That(calls.Datagrams, Is.Empty);
            Assert.That(calls.Opens("/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf"), Is.Empty);
        }
    }

    /// <summary>The trace shows what it is to show: a program that does all of it is caught.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Trace_of_a_program_that_does_leak_shows_it(CancellationToken token)
    {
        await SystemCalls.RequireAsync(token);
        const string leaking = """
            import socket
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))
            open('/etc/resolv.conf')
            socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect_ex(('127.0.0.1', 1))
            socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect_ex(('::1', 1))
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect_ex('/nonexistent')
            """;
        string trace = Path.GetTempFileName();
        try
        {
            string[] command =
            [
                .. SystemCalls.Command(trace).Where(static argument => argument != "-D"), ClientProcess.Require("python3"), "-c", leaking,
            ];
            await ClientProcess.RunAsync(command[0], command[1..], token);
            var calls = new SystemCalls(await File.ReadAllLinesAsync(trace, token));
            Assert.That(calls.Datagrams, Is.Not.Empty);
            Assert.That(calls.Opens("/etc/resolv.conf"), Is.Not.Empty);
            Assert.That(calls.Connects.Keys, Is.SupersetOf(new[] { "127.0.0.1:1", "::1:1" }));
            Assert.That(calls.OtherConnects, Is.Not.Empty);
        }
        finally
        {
            File.Delete(trace);
        }
    }

    private async Task AskForEverythingAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        string[][] ways =
        [
            ["--proxy", $"socks5h://{daemon}"], ["--proxy", $"socks4a://{daemon}"], ["--proxy", $"http://{daemon}"],
            ["--proxytunnel", "--proxy", $"http://{daemon}"],
        ];
        foreach (string[] way in ways)
        {
            Assert.That((await ClientProcess.CurlAsync(token, [.. way, OriginByName + "/exit"])).Output, Is.AnyOf(ExitNames));
            Assert.That((await ClientProcess.CurlAsync(token, [.. way, OriginByAddress + "/exit"])).Output, Is.EqualTo("unknown\n"));
            Assert.That((await ClientProcess.CurlAsync(token, [.. way, OriginByOnion + "/exit"])).Output, Is.EqualTo("unknown\n"));
            foreach (
                string unknown in (string[])[
                    "http://nx.test/", "http://no.such.name.example/", $"http://{TestNetwork.OriginName}:25/", "http://short.onion/"])
                await ClientProcess.CurlAsync(token, [.. way, unknown]);
        }

        foreach (string name in (string[])[TestNetwork.OriginName, "nx.test"])
            await ClientProcess.RunAsync("tor-resolve", [name, daemon.ToString()], token);
    }

    /// <summary>The tracer outlives the process by a moment; its last word on the process is how it ended.</summary>
    private static async Task<IReadOnlyList<string>> ReadWhenCompleteAsync(string trace, int processId, CancellationToken token)
    {
        while (true)
        {
            string[] lines = await File.ReadAllLinesAsync(trace, token);
            if (
                lines.Any(
                    line =>
                        line.StartsWith($"{processId} ", StringComparison.Ordinal)
                            && line.Contains("+++ exited", StringComparison.Ordinal)))
                return lines;
            await Task.Delay(50, token);
        }
    }
}
