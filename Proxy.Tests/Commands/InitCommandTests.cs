using System.CommandLine;
using TorBalancer.Daemon.Commands;
using TorBalancer.Processes;
using TorBalancer.Tests.Configuration;

namespace TorBalancer.Tests.Commands;

/// <summary>torbalancer init --wireguard. That what it writes works is shown by the WireGuard scenario.</summary>
public class InitCommandTests
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Init_writes_both_ends_of_every_link()
    {
        RequireWg();
        var (code, output, error) = await InitAsync("--endpoint", "192.0.2.1", "--endpoint", "[2001:db8::1]:51999", "--network", "192.168");

        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain("10 files for 2 workers"));
        string host = Text("host/wg-tor01.conf"), worker = Text("worker-01/wg-hub01.conf");
        Assert.That(
            host,
            Does.Contain("\nAddress = 192.168.1.1/24\n").And.Contain("\nEndpoint = 192.0.2.1:51820\n").And.Contain("\nTable = off\n"));
        Assert.That(
            worker,
            Does.Contain("\nAddress = 192.168.1.2/24\n").And.Contain("\nListenPort = 51820\n").And.Contain(
                "\nAllowedIPs = 192.168.1.1/32\n"));
        Assert.That(Text("host/wg-tor02.conf"), Does.Contain("\nEndpoint = [2001:db8::1]:51999\n"));
        Assert.That(
            Text("worker-02/torrc"),
            Does.Contain(
                "\nTransPort 192.168.2.2:9040 ").And.Contain("\nDNSPort 192.168.2.2:5353\n").And.Contain("\nSocksPort 192.168.2.2:9050 "));
        Assert.That(Text("worker-02/torbalancer.nft"), Does.Contain("iifname \"wg-hub02\" meta l4proto tcp redirect to :9040"));

        // The firewall is loaded before there is a link, from where the README says it belongs.
        Assert.That(worker, Does.Contain("\nPreUp = nft -f /etc/wireguard/torbalancer.nft\n"));
        Assert.That(Text("README.txt"), Does.Contain("torbalancer.nft           to /etc/wireguard").And.Contain("IPv4 only"));
        Assert.That(host, Does.Contain("\nAllowedIPs = 0.0.0.0/0\n"), "IPv4 only");

        // Each end knows the other's public key and nobody's private one but its own; no key comes twice.
        string[] keys =
        [
            .. new[] { host, worker, Text("host/wg-tor02.conf"), Text("worker-02/wg-hub02.conf") }.SelectMany(
                static text => new[] { Value(text, "PrivateKey"), Value(text, "PublicKey") }),
        ];
        Assert.That(keys, Is.Unique);
        Assert.That(keys, Has.All.Match("^[A-Za-z0-9+/]{43}=$"));
    }

    [Test]
    public async Task Init_sections_are_a_valid_configuration()
    {
        RequireWg();
        await InitAsync("--endpoint", "192.0.2.1");
        var result = Loading.Text(Text("torbalancer.workers.conf"));

        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        var worker = result.Options.Workers.Single();
        Assert.That((worker.Name, worker.WgInterface, worker.SocksEndPoint.ToString(), Loading.Dump(worker.WgWorkerAddress)),
            Is.EqualTo(("worker-01", "wg-tor01", "10.201.1.2:9050", "10.201.1.2")));
    }

    [Test]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task Init_files_are_private_and_never_overwritten_unasked()
    {
        RequireWg();
        await InitAsync("--endpoint", "192.0.2.1");
        string before = Text("host/wg-tor01.conf");
        File.Delete(Path.Combine(_directory, "out", "torbalancer.workers.conf"));

        var (code, output, error) = await InitAsync("--endpoint", "192.0.2.1");
        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.Contain("README.txt is there already").And.Contain("--force"));
        Assert.That(Text("host/wg-tor01.conf"), Is.EqualTo(before));
        Assert.That(File.Exists(Path.Combine(_directory, "out", "torbalancer.workers.conf")), Is.False, "all or nothing");

        Assert.That((await InitAsync("--endpoint", "192.0.2.1", "--force")).Code, Is.Zero);
        Assert.That(Text("host/wg-tor01.conf"), Is.Not.EqualTo(before));
        foreach (string file in Directory.EnumerateFiles(_directory, "*", SearchOption.AllDirectories))
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), file);
    }

    [TestCase("", "no worker; give --endpoint")]
    [TestCase("--endpoint tor.example:51820", "--endpoint tor.example:51820 is not an IP address with a port")]
    [TestCase("--endpoint 192.0.2.1 --endpoint 192.0.2.1:51820", "given twice")]
    [TestCase("--endpoint 0300.0.2.1:51820", "--endpoint 0300.0.2.1:51820 is not an IP address with a port")]
    [TestCase("--endpoint ::1:51820", "--endpoint ::1:51820 is not an IP address with a port; did you mean [::1]:51820?")]
    [TestCase(
        "--endpoint 2001:db8::1:5182", "--endpoint 2001:db8::1:5182 is an IPv6 address without brackets; did you mean [2001:db8::1]:5182?")]
    [TestCase("--endpoint udp://192.0.2.1:51820", "did you mean 192.0.2.1:51820?")]
    [TestCase("--endpoint 1", "--endpoint 1 is not an IP address with a port")]
    [TestCase("--endpoint 192.0.2.1 --network 012.5", "allowed: 10.0 to 10.255, 172.16 to 172.31, and 192.168")]
    [TestCase("--endpoint 192.0.2.1 --network 10.010", "allowed: 10.0 to 10.255, 172.16 to 172.31, and 192.168")]
    [TestCase("--endpoint 192.0.2.1 --network 10.256", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 172.15", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 172.32", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 100.64", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 169.254", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 224.0", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 0.1", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 10.201.1", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 8.8", "is not the beginning of a private network")]
    [TestCase("--endpoint 192.0.2.1 --network 127.0", "is not the beginning of a private network")]
    public async Task Init_wrong_arguments_2_and_nothing_written(string arguments, string expected)
    {
        var (code, _, error) = await InitAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.That((code, Directory.Exists(Path.Combine(_directory, "out"))), Is.EqualTo((2, false)));
        Assert.That(error, Does.Contain(expected));
    }

    [Test]
    public void Keys_without_the_tool_say_what_to_install() =>
        Assert.That(
            () => new WireGuardKeys("no-such-wg").GenerateAsync(CancellationToken.None),
            Throws.TypeOf<InitException>().With.Message.Contains("install wireguard-tools"));

    private static void RequireWg()
    {
        if (Executables.Find("wg") is null)
            Assert.Ignore("skipped: wg is not installed");
    }

    private string Text(string path) => File.ReadAllText(Path.Combine(_directory, "out", path));

    private static string Value(string text, string key) =>
        text.Split('\n').Single(line => line.StartsWith(key + " = ", StringComparison.Ordinal))[(key.Length + 3)..];

    private async Task<(int Code, string Output, string Error)> InitAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        int code = await InitCommand.Create().Parse(["--wireguard", "--output", Path.Combine(_directory, "out"), .. arguments])
            .InvokeAsync(new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
