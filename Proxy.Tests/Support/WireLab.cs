using System.Globalization;
using TorBalancer.Processes;

namespace TorBalancer.Tests.Support;

/// <summary>Machines on one wire: network namespaces, whose only interfaces a bridge in another one joins.</summary>
internal sealed class WireLab : IAsyncDisposable
{
    private readonly string _prefix;
    private readonly List<NetworkNamespace> _machines = [];

    private WireLab(string prefix) => _prefix = prefix;

    /// <summary>Skips the calling test where namespaces and bridges cannot be made, or a program is not installed.</summary>
    /// <param name="prefix">Of the namespaces' names, with the number of this process behind it.</param>
    public static async Task<WireLab> StartAsync(string prefix, CancellationToken token, params string[] programs)
    {
        foreach (string program in (string[])["ip", .. programs])
            ClientProcess.Require(program);
        var lab = new WireLab(string.Create(CultureInfo.InvariantCulture, $"{prefix}{Environment.ProcessId}"));
        try
        {
            if (await lab.WhyNotAsync(token) is { } why)
                Assert.Ignore($"skipped: {why}");
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Another machine, which has this address of the wire's network.</summary>
    public async Task<NetworkNamespace> PlugInAsync(string name, string address, CancellationToken token)
    {
        var (wire, machine) = (_machines[0], await NetworkNamespace.CreateAsync(_prefix + name, token));
        _machines.Add(machine);
        await wire.RunAsync(token, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", machine.Name);
        await wire.RunAsync(token, "ip", "link", "set", name, "master", "br0", "up");
        await machine.RunAsync(token, "ip", "addr", "add", $"{address}/24", "dev", "eth0");
        await machine.RunAsync(token, "ip", "link", "set", "eth0", "up");
        return machine;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var machine in _machines)
            await machine.DisposeAsync();
    }

    private async Task<string?> WhyNotAsync(CancellationToken token)
    {
        string ip = Executables.Find("ip")!, probe = _prefix + "probe";
        var made = await ProgramRun.RunAsync(ip, ["netns", "add", probe], token);
        if (made.ExitCode != 0)
            return $"network namespaces are not permitted here: {made.Error.Trim()}";
        await using (new NetworkNamespace(probe))
        {
            _machines.Add(await NetworkNamespace.CreateAsync(_prefix + "wire", token));
            var bridge = await _machines[0].TryAsync(token, "ip", "link", "add", "br0", "type", "bridge");
            if (bridge.ExitCode != 0)
                return $"bridges are not permitted here: {bridge.Error.Trim()}";
        }

        await _machines[0].RunAsync(token, "ip", "link", "set", "br0", "up");
        return null;
    }
}
