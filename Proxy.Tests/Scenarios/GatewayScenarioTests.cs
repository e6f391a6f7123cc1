using System.Net;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using TorBalancer.Daemon.Commands;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// A gateway of the files that init --gateway writes, none of them changed: rules, kernel and daemon, and a host behind it that knows of no
/// proxy.
/// </summary>
[CancelAfter(180_000)]
[SupportedOSPlatform("linux")]
public sealed class GatewayScenarioTests
{
    private const string Site = "198.51.100.7", Answer = "through a worker";

    [Test]
    public async Task Host_without_settings_is_served_by_name_and_address_and_nothing_passes_whether_the_daemon_runs_or_not(
        CancellationToken token)
    {
        await using var lab = await GatewayLab.StartAsync(token);
        string output = Path.Combine(lab.Directory, "out");
        var run = await CommandRun.OfAsync(["init", "--gateway", "lan0", "--output", output]);
        Assert.That(run.Code, Is.Zero, run.Error);
        await lab.Gateway.RunAsync(token, "nft", "-f", Path.Combine(output, GatewayFiles.Rules));
        await lab.Gateway.RunAsync(token, "sysctl", "-q", "-p", Path.Combine(output, GatewayFiles.Kernel));

        // A unix socket leads out of any network: the worker is the one thing that is not in the files.
        string socket = Path.Combine(lab.Directory, "w.sock");
        await using var worker = new FakeTorWorker(socket) { ReplyAddress = static _ => IPAddress.Parse(Site) };
        new HttpScript().On($"{Site}/", HttpScript.Answer(Answer)).On("site.example/", HttpScript.Answer(Answer)).Behind(worker);
        string resolver = Path.Combine(lab.Directory, "resolv.conf");
        await File.WriteAllTextAsync(resolver, $"nameserver {GatewayLab.GatewayAddress}\noptions attempts:1 timeout:5\n", token);
        lab.Host.PutInEtc("", resolver);

        var daemon = await StartAsync(lab, output, socket, token);
        try
        {
            Assert.That(await CurlAsync(lab, $"http://{Site}/", token), Is.EqualTo((0, Answer)), daemon.ToString());
            Assert.That(await CurlAsync(lab, "http://site.example/", token), Is.EqualTo((0, Answer)), daemon.ToString());
            Assert.That(
                worker.Requests.Select(static request => (request.Command, request.Host)),
                Does.Contain(((byte)0xF0, "site.example")).And.Contain(((byte)1, Site)));

            // The proxy itself, for those that know one, told by the address that they ask.
            string file = await lab.Host.RunAsync(token, "curl", "-sS", $"http://{GatewayLab.GatewayAddress}:1080/wpad.dat");
            Assert.That(file, Does.Contain($"\"PROXY {GatewayLab.GatewayAddress}:1080; SOCKS5 {GatewayLab.GatewayAddress}:1080\""));
            string byProxy = await lab.Host.RunAsync(
                token, "curl", "-sS", "-x", $"http://{GatewayLab.GatewayAddress}:1080", "http://site.example/");
            Assert.That(byProxy, Is.EqualTo(Answer));

            // A port of the gateway's own is nobody's target.
            var (code, _) = await CurlAsync(lab, $"http://{GatewayLab.GatewayAddress}:8080/", token);
            Assert.That(code, Is.Not.Zero);
            await lab.SendEverythingAsync(token);
            Assert.That(await lab.PassedAsync(token), Is.Zero, "while it runs");
        }
        finally
        {
            await daemon.DisposeAsync();
        }

        string[] tcp = await lab.SendEverythingAsync(token);
        Assert.That(await lab.PassedAsync(token), Is.Zero, "while it does not");
        Assert.That(tcp, Has.All.EndsWith("Connection refused"));
        Assert.That((await CurlAsync(lab, $"http://{Site}/", token)).Code, Is.EqualTo(7), "refused");

        await using var again = await StartAsync(lab, output, socket, token);
        Assert.That(await CurlAsync(lab, $"http://{Site}/", token), Is.EqualTo((0, Answer)), again.ToString());
    }

    /// <summary>
    /// The host's SYN was answered long before: it hears of a failure by a reset, and nothing of one that another worker mends.
    /// </summary>
    [Test]
    public async Task Worker_that_fails_is_passed_over_and_when_all_do_the_host_is_reset(CancellationToken token)
    {
        await using var lab = await GatewayLab.StartAsync(token);
        string output = Path.Combine(lab.Directory, "out");
        var run = await CommandRun.OfAsync(["init", "--gateway", "lan0", "--mode", "failover", "--output", output]);
        Assert.That(run.Code, Is.Zero, run.Error);
        await lab.Gateway.RunAsync(token, "nft", "-f", Path.Combine(output, GatewayFiles.Rules));
        string one = Path.Combine(lab.Directory, "1.sock"), two = Path.Combine(lab.Directory, "2.sock");
        await using var first = new FakeTorWorker(one) { Reply = static _ => 1 };
        await using var second = new FakeTorWorker(two);
        new HttpScript().On($"{Site}/", HttpScript.Answer(Answer)).Behind(second);
        await using var daemon = await StartAsync(lab, output, one, token, $"--Worker:x:Address=unix:{two}", "--Health:Enabled=no");

        Assert.That(await CurlAsync(lab, $"http://{Site}/", token), Is.EqualTo((0, Answer)), daemon.ToString());
        Assert.That((first.Requests.Single().Host, second.Requests.Single().Host), Is.EqualTo((Site, Site)), daemon.ToString());

        first.Reply = second.Reply = static _ => 5;
        var result = await lab.Host.TryAsync(token, "curl", "-sS", "--max-time", "20", $"http://{Site}/");
        Assert.That(result.Error, Does.Contain("reset by peer"), daemon.ToString());
    }

    /// <summary>
    /// redirect leads to the interface's first address, whoever asks; a host of its second network would be answered from the second one,
    /// if the kernel chose.
    /// </summary>
    [Test]
    public async Task Names_are_answered_from_the_address_that_was_asked_where_the_gateway_has_several(CancellationToken token)
    {
        await using var lab = await GatewayLab.StartAsync(token);
        foreach (var (space, device, end) in new[] { (lab.Gateway, "lan0", 1), (lab.Host, "eth0", 2) })
        {
            await space.RunAsync(token, "ip", "addr", "add", $"10.78.1.{end}/24", "dev", device);
            await space.RunAsync(token, "ip", "addr", "add", $"fd78:1::{end}/64", "dev", device, "nodad");
        }

        string output = Path.Combine(lab.Directory, "out"), socket = Path.Combine(lab.Directory, "w.sock");
        var run = await CommandRun.OfAsync(["init", "--gateway", "lan0", "--output", output]);
        Assert.That(run.Code, Is.Zero, run.Error);
        await using var worker = new FakeTorWorker(socket) { ReplyAddress = static _ => IPAddress.Parse(Site) };
        await using var daemon = await StartAsync(lab, output, socket, token);

        await AskFromBothAsync(":1053, without rules", 1053, "10.77.1.1", "10.78.1.1", "fd77:1::1", "fd78:1::1");
        await lab.Gateway.RunAsync(token, "nft", "-f", Path.Combine(output, GatewayFiles.Rules));
        await AskFromBothAsync(
            "turned by the rules", 53, "10.77.1.1", "10.78.1.1", "203.0.113.53", "fd77:1::1", "fd78:1::1", "2001:db8::53");

        async Task AskFromBothAsync(string how, int port, params string[] servers)
        {
            foreach (string server in servers)
            {
                foreach (string own in server.Contains(':') ? (string[])["fd77:1::2", "fd78:1::2"] : ["10.77.1.2", "10.78.1.2"])
                {
                    foreach (string transport in (string[])["+notcp", "+tcp"])
                    {
                        string said = await lab.Host.RunAsync(
                            token, "dig", "+short", "+tries=2", "+time=5", transport, "-p", $"{port}", "-b", own, "@" + server,
                            "site.example", "A");
                        Assert.That(said, Is.EqualTo(Site + "\n"), $"{own} asks {server} {how} {transport}: {daemon}");
                    }
                }
            }
        }
    }

    private static async Task<ForegroundProcess> StartAsync(
        GatewayLab lab, string output, string socket, CancellationToken token, params string[] more)
    {
        var environment = new Dictionary<string, string>
        {
            ["HOME"] = lab.Directory,
            ["XDG_RUNTIME_DIR"] = "",
            ["XDG_STATE_HOME"] = "",
            ["STATE_DIRECTORY"] = "",
            ["DOTNET_ROOT"] = Environment.GetEnvironmentVariable("DOTNET_ROOT")
                ?? Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..")),
        };
        var daemon = ForegroundProcess.Start(
            [
                .. lab.Gateway.Under, ProgramRun.Daemon, "run", "--config", Path.Combine(output, "torbalancer.conf"),
                $"--Worker:w:Address=unix:{socket}", "--Admin:Socket=none",
                $"--ManagedWorkers:DataDirectory={lab.Directory}/state", .. more,
            ],
            environment);
        try
        {
            await daemon.WaitForLineAsync(" Ready: ", token);
            return daemon;
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
    }

    private static async Task<(int Code, string Output)> CurlAsync(GatewayLab lab, string url, CancellationToken token)
    {
        var result = await lab.Host.TryAsync(token, "curl", "-sS", "--max-time", "20", url);
        return (result.ExitCode, result.Output);
    }
}
