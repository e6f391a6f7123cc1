using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The daemon with tor processes of its own, which are clients of the private network.</summary>
[Category(ProgramRun.Native)]
public sealed partial class ManagedWorkersScenarioTests : ScenarioFixture
{
    private static readonly string[] Ids = ["tor-1", "tor-2"];

    [Test, CancelAfter(120_000)]
    public async Task Workers_serve_are_restarted_and_end_with_SIGTERM(CancellationToken token)
    {
        await using var daemon = await StartAsync(token);
        foreach (string id in Ids)
        {
            await daemon.WaitForLineAsync(line => line.Contains($"Worker {id}: ready", StringComparison.Ordinal), token);
            await AssertServesAsync(daemon, id, token);
        }

        int killed = await ProcessOfAsync(daemon, "tor-1", 0, token);
        ProcessSignals.Kill(killed);
        await daemon.WaitForLineAsync(static line => line.Contains("Worker tor-1: down", StringComparison.Ordinal), token);
        await AssertServesAsync(daemon, "tor-2", token);
        await daemon.WaitForLineAsync(static line => line.Contains("Worker tor-1: ready", StringComparison.Ordinal), token, after: 1);
        await AssertServesAsync(daemon, "tor-1", token);

        int[] live = [await ProcessOfAsync(daemon, "tor-1", 1, token), await ProcessOfAsync(daemon, "tor-2", 0, token)];
        Assert.That(live, Is.All.Matches<int>(ProcessStates.IsRunning));
        int said = daemon.Lines.Count;
        Assert.That(await daemon.StopAsync(token), Is.Zero, string.Join('\n', daemon.Lines));
        Assert.That(live, Has.None.Matches<int>(ProcessStates.IsRunning));
        Assert.That(daemon.Lines.Skip(said), Has.None.Contains(" WARN "), "a stop is nothing that turned bad");
        Assert.That(daemon.Lines.Skip(said), Has.None.Contains(" ERROR "));
    }

    [Test, CancelAfter(120_000)]
    public async Task Workers_end_when_the_daemon_is_killed(CancellationToken token)
    {
        await using var daemon = await StartAsync(token);
        foreach (string id in Ids)
            await daemon.WaitForLineAsync(line => line.Contains($"Worker {id}: ready", StringComparison.Ordinal), token);
        int[] processes = [await ProcessOfAsync(daemon, "tor-1", 0, token), await ProcessOfAsync(daemon, "tor-2", 0, token)];
        Assert.That(processes, Is.All.Matches<int>(ProcessStates.IsRunning));

        daemon.Kill();
        await daemon.Exited.WaitAsync(token);

        // They see that their owner's connection is gone; nobody is there to wait for them, so this asks again.
        while (processes.Any(ProcessStates.IsRunning))
            await Task.Delay(50, token);
    }

    [TestCase(false), CancelAfter(120_000)]
    [TestCase(true)]
    public async Task Workers_are_handed_over_to_a_new_process_and_are_its_own_from_then_on(bool seesLittle, CancellationToken token)
    {
        if (seesLittle)
            await OtherUser.RequireSeeingLittleAsync(token);
        await using var first = await StartAsync(token, seesLittle);
        foreach (string id in Ids)
            await first.WaitForLineAsync(line => line.Contains($"Worker {id}: ready", StringComparison.Ordinal), token);
        int[] processes = [await ProcessOfAsync(first, "tor-1", 0, token), await ProcessOfAsync(first, "tor-2", 0, token)];

        if (seesLittle)
        {
            string shown = string.Create(CultureInfo.InvariantCulture, $"/proc/{processes[0]}");
            string[] look = [.. OtherUser.UnderSeeingLittle, "test", "-e", shown];
            Assert.That((await ProgramRun.RunAsync(look[0], look[1..], token)).ExitCode, Is.EqualTo(1), "it is hidden from its user");
        }

        // Twice: what was taken over once is no child of the one that hands it over the second time.
        await using var second = await first.SucceedAsync(token);
        Assert.That(await first.Exited.WaitAsync(token), Is.Zero, string.Join('\n', first.Lines));
        await using var third = await second.SucceedAsync(token);
        Assert.That(await second.Exited.WaitAsync(token), Is.Zero, string.Join('\n', second.Lines));
        Assert.That(processes, Is.All.Matches<int>(ProcessStates.IsRunning), "with nobody who started them");
        for (int i = 0; i < Ids.Length; i++)
        {
            string goesOn = $"Worker {Ids[i]}: goes on with its tor (pid {processes[i]})";
            await third.WaitForLineAsync(line => line.Contains(goesOn, StringComparison.Ordinal), token);
            await AssertServesAsync(third, Ids[i], token);
        }

        // It hears of the end of one, and starts it anew; the other one ends with it.
        ProcessSignals.Kill(processes[0]);
        await third.WaitForLineAsync(static line => line.Contains("Worker tor-1: down", StringComparison.Ordinal), token);
        await third.WaitForLineAsync(static line => line.Contains("Worker tor-1: ready", StringComparison.Ordinal), token, after: 1);
        await AssertServesAsync(third, "tor-1", token);
        int[] live = [await ProcessOfAsync(third, "tor-1", 0, token), processes[1]];
        Assert.That(live, Is.All.Matches<int>(ProcessStates.IsRunning));
        Assert.That(await third.StopAsync(token), Is.Zero, string.Join('\n', third.Lines));
        Assert.That(live, Has.None.Matches<int>(ProcessStates.IsRunning));
    }

    /// <param name="seesLittle">As <see cref="OtherUser.UnderSeeingLittle"/>.</param>
    private async Task<DaemonUnderTest> StartAsync(CancellationToken token, bool seesLittle = false)
    {
        string directory = DaemonUnderTest.MakeDirectory();
        string torrc = Path.Combine(directory, "extra");
        await File.WriteAllLinesAsync(torrc, Network.ClientTorrc, token);
        string tor = RealTor.Executable;
        if (seesLittle)
        {
            await OtherUser.GiveAsync(directory, token);

            // Not every build of tor sees to it that nobody debugs it; a program that its user may not read is not to be debugged either.
            File.Copy(tor, tor = Path.Combine(directory, "tor"));
            await ProgramRun.RunAsync(ClientProcess.Require("chmod"), ["711", tor], token);
        }

        return await DaemonUnderTest.StartAsync(
            $"[ManagedWorkers]\nCount = {Ids.Length}\nDataDirectory = {directory}/state\nExtraTorrc = {torrc}\nTorPath = {tor}\n",
            token, directory, socket: $"unix:{directory}/admin.sock", under: seesLittle ? OtherUser.UnderSeeingLittle : null);
    }

    /// <summary>A request that only this worker may carry.</summary>
    private async Task AssertServesAsync(DaemonUnderTest daemon, string id, CancellationToken token)
    {
        foreach (string url in (string[])[OriginByName + "/exit", OriginByOnion + "/exit"])
        {
            var result = await ClientProcess.CurlAsync(token, "--proxy", $"socks5h://worker-{id}:x@{daemon}", url);
            Assert.That(
                result.Output, Is.AnyOf([.. ExitNames, "unknown\n"]), $"{id} {url}: {result.Error}\n{string.Join('\n', daemon.Lines)}");
        }
    }

    /// <summary>The process id in that worker's start message, the first or a later one.</summary>
    private static async Task<int> ProcessOfAsync(DaemonUnderTest daemon, string id, int start, CancellationToken token)
    {
        string line = await daemon.WaitForLineAsync(
            line => line.Contains($"Worker {id}: starting (pid", StringComparison.Ordinal), token, start);
        return int.Parse(StartedProcess().Match(line).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"\(pid (\d+)")]
    private static partial Regex StartedProcess();
}
