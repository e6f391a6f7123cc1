using TorBalancer.Processes;


namespace TorBalancer.Tests.Support;

/// <summary>A network namespace of this machine that a test made: what runs in it sees only the interfaces that the test gave it.</summary>
internal sealed class NetworkNamespace(string name) : IAsyncDisposable
{
    public string Name { get; } = name;

    /// <summary>What to put in front of a command line to run it in here; the process id stays the command's.</summary>
    public string[] Under => [Executables.Find("ip")!, "netns", "exec", Name];

    /// <summary>Why this machine does not let tests make namespaces and tunnels, or null.</summary>
    public static async Task<string?> WhyNotAsync(CancellationToken token)
    {
        foreach (string program in (string[])["ip", "nft", "wg", "wg-quick", "wireguard-go", "tor", "curl"])
        {
            if (Executables.Find(program) is null)
                return $"{program} is not installed";
        }

        if (!File.Exists("/dev/net/tun"))
            return "there is no /dev/net/tun";
        string name = $"tbprobe{Environment.ProcessId}";
        var made = await ProgramRun.RunAsync(Executables.Find("ip")!, ["netns", "add", name], token);
        if (made.ExitCode != 0)
            return $"network namespaces are not permitted here: {made.Error.Trim()}";
        await using var probe = new NetworkNamespace(name);
        var tun = await ProgramRun.RunAsync(
            probe.Under[0], [.. probe.Under[1..], Executables.Find("ip")!, "tuntap", "add", "dev", "tbprobe", "mode", "tun"], token);
        return tun.ExitCode == 0 ? await WhyNoEtcAsync(probe, token) : $"tun interfaces are not permitted here: {tun.Error.Trim()}";
    }

    /// <summary>What <c>ip netns exec</c> puts over /etc for programs in here (ip-netns(8)).</summary>
    private string Etc => Path.Combine(EtcOfAll, Name);

    private const string EtcOfAll = "/etc/netns";

    /// <summary>Whether programs in a namespace get an /etc/wireguard of their own, as labs need it.</summary>
    private static async Task<string?> WhyNoEtcAsync(NetworkNamespace probe, CancellationToken token)
    {
        string file = Path.GetTempFileName();
        try
        {
            probe.PutInEtc("wireguard", file);
            var seen = await probe.TryAsync(token, "test", "-e", "/etc/wireguard/" + Path.GetFileName(file));
            return seen.ExitCode == 0 ? null : $"namespaces get no /etc/wireguard of their own here: {seen.Error.Trim()}";
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"{EtcOfAll} cannot be written to: {failure.Message}";
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>
    /// Removes what a run that was killed left behind. The caller holds whatever keeps others from making namespaces of these names.
    /// </summary>
    public static async Task RemoveAllAsync(string prefix, CancellationToken token)
    {
        string ip = Executables.Find("ip")!;
        var list = await ProgramRun.RunAsync(ip, ["netns", "list"], token);
        foreach (
            string name in list.Output.Split('\n')
                .Select(static line => line.Split(' ')[0])
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            // wireguard-go ends with its interface; it would keep the interface's name taken otherwise.
            var links = await ProgramRun.RunAsync(ip, ["-brief", "-n", name, "link"], token);
            foreach (
                string link in links.Output.Split('\n')
                    .Select(static line => line.Split(' ')[0])
                    .Where(static link => link.StartsWith("wg-", StringComparison.Ordinal)))
                await ProgramRun.RunAsync(ip, ["-n", name, "link", "del", link], token);
            await new NetworkNamespace(name).DisposeAsync();
        }

        if (!Directory.Exists(EtcOfAll))
            return;
        foreach (string left in Directory.EnumerateDirectories(EtcOfAll, prefix + "*"))
            Directory.Delete(left, recursive: true);
    }

    /// <summary>Makes one with loopback up and without IPv6, whose neighbour discovery would disturb every count of packets.</summary>
    public static async Task<NetworkNamespace> CreateAsync(string name, CancellationToken token)
    {
        await HostAsync(token, "ip", "netns", "add", name);
        var made = new NetworkNamespace(name);
        await made.RunAsync(token, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
            "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0");
        await made.RunAsync(token, "ip", "link", "set", "lo", "up");
        return made;
    }

    /// <summary>A cable from here to another namespace, with an address at each end.</summary>
    public async Task ConnectAsync(
        string device, string address, NetworkNamespace peer, string peerDevice, string peerAddress, CancellationToken token)
    {
        await HostAsync(token, "ip", "link", "add", device, "netns", Name, "type", "veth", "peer", "name", peerDevice, "netns", peer.Name);
        await SetUpAsync(device, address, token);
        await peer.SetUpAsync(peerDevice, peerAddress, token);
    }

    /// <summary>Runs a program in here; fails the test when it does not end with 0. Gives what it printed.</summary>
    public async Task<string> RunAsync(CancellationToken token, params string[] command)
    {
        var result = await TryAsync(token, command);
        if (result.ExitCode != 0)
            Assert.Fail($"{Name}: {string.Join(' ', command)} ended with {result.ExitCode}: {result.Error}{result.Output}");
        return result.Output;
    }

    public Task<ProgramResult> TryAsync(CancellationToken token, params string[] command) =>
        ProgramRun.RunAsync(Under[0], [.. Under[1..], Executables.Find(command[0]) ?? command[0], .. command[1..]], token);

    /// <summary>Loads nftables rules.</summary>
    public async Task LoadRulesAsync(string file, string rules, CancellationToken token)
    {
        await File.WriteAllTextAsync(file, rules, token);
        await RunAsync(token, "nft", "-f", file);
    }

    /// <summary>
    /// Copies a file into a folder of /etc that programs in here see, and nobody else. The folder must be there on this machine too; it
    /// is hidden as a whole.
    /// </summary>
    public void PutInEtc(string folder, string file)
    {
        string place = Directory.CreateDirectory(Path.Combine(Etc, folder)).FullName;
        File.Copy(file, Path.Combine(place, Path.GetFileName(file)), overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        await ProgramRun.RunAsync(Executables.Find("ip")!, ["netns", "del", Name], CancellationToken.None);
        if (Directory.Exists(Etc))
            Directory.Delete(Etc, recursive: true);
    }

    private async Task SetUpAsync(string device, string address, CancellationToken token)
    {
        await RunAsync(token, "ip", "addr", "add", address, "dev", device);
        await RunAsync(token, "ip", "link", "set", device, "up");
    }

    private static async Task HostAsync(CancellationToken token, params string[] command)
    {
        var result = await ProgramRun.RunAsync(Executables.Find(command[0])!, command[1..], token);
        if (result.ExitCode != 0)
            Assert.Fail($"{string.Join(' ', command)} ended with {result.ExitCode}: {result.Error}");
    }
}
