using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorBalancer.Tests.Scenarios.Resilience;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>
/// A daemon in front of real tors, under load, whose workers are drained, enabled, killed, added and removed, and whose configuration is
/// reloaded: whoever is asked, /metrics, the API, <c>status</c>, the page in a browser, the log or the events, says the same behind each
/// step.
/// </summary>
[NonParallelizable] // It kills a worker that others use.
public sealed partial class AgreementTests
{
    private const int PerSecond = 20;

    private const string Killed = "worker-01", Drained = "worker-02", Removed = "worker-03", Added = "worker-04";

    private static readonly string[] First = [Killed, Drained, Removed];

    /// <summary>For what has no promised time and must come all the same.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private DaemonUnderTest _daemon = null!;
    private PageUnderTest _page = null!;
    private string _admin = "";

    [Test, CancelAfter(240_000)]
    public async Task Metrics_page_status_API_log_and_events_agree_at_each_step(CancellationToken token)
    {
        var network = PageSetUp.Network;
        string all = DaemonUnderTest.ConfigurationFor(network);

        // Health changes states at its own time, so it is quick here; the fourth worker is not configured yet.
        string configuration = all[..all.IndexOf($"[Worker:{Added}]", StringComparison.Ordinal)]
            .Replace("[Health]\n", "[Health]\nCheckInterval = 1s\nRecoveryBackoff = 1s\n", StringComparison.Ordinal);
        await using var daemon = _daemon = await DaemonUnderTest.StartAsync(configuration, token, admin: "Address = 127.0.0.1:0");
        _admin = await daemon.AdminAddressAsync(token);
        await using var page = _page = await PageUnderTest.NewAsync();
        await page.Page.GotoAsync($"http://{_admin}/");
        await page.UntilStateAsync(Killed, "Healthy");
        await page.Page.EvaluateAsync("() => { window.isSamePage = true; }");
        TimeSpan killed;
        IReadOnlyList<LoadRequest> requests;
        await using (var load = SteadyLoad.Start(daemon.Address, network.EchoPort, PerSecond))
        {
            await load.MoreAsync(PerSecond, token);
            await AgreeAsync("started", $"{Killed} HEALTHY; {Drained} HEALTHY; {Removed} HEALTHY", token);

            await CommandAsync(token, "drain", Drained);
            await AgreeAsync("drained", $"{Killed} HEALTHY; {Drained} HEALTHY draining; {Removed} HEALTHY", token);
            await load.MoreAsync(PerSecond / 2, token);

            await CommandAsync(token, "enable", Drained);
            await AgreeAsync("enabled", $"{Killed} HEALTHY; {Drained} HEALTHY; {Removed} HEALTHY", token);

            killed = load.Now;
            await network.KillAsync(Killed);
            try
            {
                await AgreeAsync("killed", $"{Killed} RECOVERY; {Drained} HEALTHY; {Removed} HEALTHY", token);

                // Both at once: what the operator says of it stands beside what health says.
                await CommandAsync(token, "drain", Killed);
                await AgreeAsync("killed and drained", $"{Killed} RECOVERY draining; {Drained} HEALTHY; {Removed} HEALTHY", token);
            }
            finally
            {
                await network.RestartAsync(Killed, CancellationToken.None);
            }

            await AgreeAsync("returned", $"{Killed} HEALTHY draining; {Drained} HEALTHY; {Removed} HEALTHY", token);
            await CommandAsync(token, "enable", Killed);
            await load.MoreAsync(PerSecond, token);
            await AgreeAsync("returned and enabled", $"{Killed} HEALTHY; {Drained} HEALTHY; {Removed} HEALTHY", token);

            var node = network.Node(Added);
            await CommandAsync(
                token, "worker", "add", Added, "Address=127.0.0.1",
                string.Create(CultureInfo.InvariantCulture, $"SocksPort={node.SocksPort}"), $"ControlPort=unix:{node.ControlPath}",
                $"ControlCookie={node.CookiePath}");
            await load.MoreAsync(PerSecond, token);
            await AgreeAsync("added", $"{Killed} HEALTHY; {Drained} HEALTHY; {Removed} HEALTHY; {Added} HEALTHY", token);

            await using (await OpenAsync(Removed, token))
            {
                await CommandAsync(token, "worker", "remove", Removed);
                await AgreeAsync("removed", $"{Killed} HEALTHY; {Drained} HEALTHY; {Removed} HEALTHY leaving; {Added} HEALTHY", token);
            }

            await AgreeAsync("gone", $"{Killed} HEALTHY; {Drained} HEALTHY; {Added} HEALTHY", token);

            // A reload that fails changes nothing; one that succeeds puts the workers of the file into force, and nobody else.
            string file = Path.Combine(daemon.Directory, "torbalancer.conf"), text = await File.ReadAllTextAsync(file, token);
            await File.WriteAllTextAsync(file, text + "\n[Balancing]\nMode = stiky\n", token);
            var refused = await ProgramRun.RunAsync(ProgramRun.Daemon, ["reload", "--admin", _admin], token);
            Assert.That((refused.ExitCode, refused.Output), Is.EqualTo((1, "")));
            Assert.That(refused.Error, Does.Contain("stiky").And.Contain("nothing was changed"));
            await AgreeAsync("reload refused", $"{Killed} HEALTHY; {Drained} HEALTHY; {Added} HEALTHY", token);

            await CommandAsync(token, "drain", Drained);
            await File.WriteAllTextAsync(file, text + "\n[Balancing]\nMode = random\n", token);
            await CommandAsync(token, "reload");
            await AgreeAsync("reloaded", $"{Killed} HEALTHY; {Drained} HEALTHY draining; {Removed} HEALTHY", token);
            await load.MoreAsync(PerSecond, token);
            requests = await load.StopAsync();
        }

        await AssertQuietAsync(token);
        Assert.That(await page.Page.EvaluateAsync<bool>("() => window.isSamePage === true"), Is.True, "the page was never loaded anew");
        TestContext.Progress.WriteLine($"every view at each step: {SteadyLoad.Describe(requests)}");

        // A stream that was open through the worker when it was killed cannot be saved; nobody else noticed any of it.
        Assert.That(
            requests.Where(one => one.Error is not null && (one.Connected is null || one.Started > killed)), Is.Empty,
            string.Join('\n', daemon.Lines.TakeLast(50)));
    }

    private static string Shown(JsonElement workers) => string.Join("; ", workers.EnumerateArray()
        .Select(static one => $"{one.GetProperty("id").GetString()} {WhatIsTold.StateOf(one.GetProperty("health"))}")
        .Order(StringComparer.Ordinal));

    private Task CommandAsync(CancellationToken token, params string[] arguments) => WhatIsTold.CommandAsync(_admin, token, arguments);

    private Task<WhatIsTold> AskAsync(CancellationToken token) => WhatIsTold.AskAsync(_daemon, _admin, _page.Page, First, token);

    /// <summary>Until everybody says that the workers are in these states, and says the same about all else.</summary>
    private async Task AgreeAsync(string step, string states, CancellationToken token)
    {
        long began = System.Diagnostics.Stopwatch.GetTimestamp();

        // The API and the page alone until the time has come: to ask all of them takes seconds of a busy machine.
        while (Shown((await WhatIsTold.GetAsync(_admin, "/api/v1/workers", token)).GetProperty("workers")) != states
            && System.Diagnostics.Stopwatch.GetElapsedTime(began) < Patience)
            await Task.Delay(50, token);
        foreach (string worker in states.Split("; "))
        {
            string id = worker.Split(' ')[0];
            await _page.UntilStateAsync(id, WhatIsTold.PageWord(worker[(id.Length + 1)..]));
        }

        while (true)
        {
            var told = await AskAsync(token);
            told.AssertCounts();
            string shown = Shown(told.Workers);
            string difference = shown == states ? told.Difference() : $"API: {shown}; expected: {states}";
            var waited = System.Diagnostics.Stopwatch.GetElapsedTime(began);
            if (difference.Length == 0)
            {
                TestContext.Out.WriteLine($"{step}: after {waited.TotalSeconds:0.0} s all agree");
                return;
            }

            if (waited > Patience)
                Assert.Fail($"{step}: after {waited.TotalSeconds:0.0} s they do not agree:\n{difference}");
            await Task.Delay(100, token);
        }
    }

    /// <summary>When all connections have ended every count is exact, and each line of the access log stands for one of them.</summary>
    private async Task AssertQuietAsync(CancellationToken token)
    {
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (true)
        {
            var told = await AskAsync(token);
            told.AssertCounts();
            string difference = told.Difference() + told.QuietDifference() + AccessDifference(told);
            if (difference.Length == 0)
                return;
            if (System.Diagnostics.Stopwatch.GetElapsedTime(began) > Patience)
                Assert.Fail($"at rest they do not agree:\n{difference}");
            await Task.Delay(100, token);
        }
    }

    /// <summary>The access log's lines against the requests that are counted, by cause.</summary>
    private static string AccessDifference(WhatIsTold told)
    {
        string logged = string.Join("; ", told.Log.Select(static line => AccessLine().Match(line)).Where(static match => match.Success)
            .CountBy(static match => match.Groups[1].Value).OrderBy(static one => one.Key, StringComparer.Ordinal)
            .Select(static one => $"{one.Key} {one.Value}"));
        string counted = string.Join("; ", told.After.Where(static one => one.Value > 0).Select(
                static one => (Match: Requests().Match(one.Key), one.Value))
            .Where(static one => one.Match.Success).OrderBy(static one => one.Match.Groups[1].Value, StringComparer.Ordinal)
            .Select(static one => string.Create(CultureInfo.InvariantCulture, $"{one.Match.Groups[1].Value} {one.Value}")));
        return logged == counted ? "" : $"access log: {logged}; metrics: {counted}\n";
    }

    /// <summary>A tunnel through one worker.</summary>
    private async Task<NetworkStream> OpenAsync(string worker, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_daemon.Address, token);
        var stream = new NetworkStream(socket, ownsSocket: true);
        byte[] reply = await SocksClient.RequestAsync(stream, "tunnel.test", PageSetUp.Network.EchoPort, token, $"worker-{worker}", "x");
        Assert.That(reply[1], Is.Zero);
        await stream.WriteAsync("alive"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(stream, 5, token), Is.EqualTo("alive"u8.ToArray()));
        return stream;
    }

    [GeneratedRegex(@" listener=\S+ client=\S+ protocol=.* cause=(\S+)")]
    private static partial Regex AccessLine();

    [GeneratedRegex("""^torbalancer_requests_total\{listener="main",protocol="socks5",cause="([^"]+)"\}$""")]
    private static partial Regex Requests();
}
