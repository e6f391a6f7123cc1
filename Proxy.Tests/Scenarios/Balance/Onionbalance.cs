using System.Runtime.Versioning;
using System.Text;
using TorBalancer.Onion.Keys;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>
/// Debian's onionbalance with a tor of its own. What it knows of testing networks is built in: a consensus every 20 s, and so time periods
/// of 8 min.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class Onionbalance : IAsyncDisposable
{
    public static readonly TimeSpan VotingInterval = TimeSpan.FromSeconds(20);

    private readonly string _directory;
    private readonly ClientTor _tor;
    private readonly ForegroundProcess _process;

    private Onionbalance(string directory, ClientTor tor, ForegroundProcess process)
    {
        _directory = directory;
        _tor = tor;
        _process = process;
    }

    public static async Task<Onionbalance> StartAsync(
        TestNetwork network, IdentityKey identity, IReadOnlyList<OnionServiceAddress> instances, CancellationToken token)
    {
        string program = ClientProcess.Require("onionbalance");
        string directory = Directory.CreateTempSubdirectory("tbo").FullName;
        var tor = await ClientTor.StartAsync(network, "", token);
        string key = Path.Combine(directory, "main.key"), config = Path.Combine(directory, "config.yaml");
        File.WriteAllBytes(key, TorKeyFiles.Secret(identity));
        var text = new StringBuilder($"services:\n- key: {key}\n  instances:\n");
        foreach (var instance in instances)
            text.Append($"  - address: {instance}\n");
        await File.WriteAllTextAsync(config, text.ToString(), token);
        string[] command = [program, "--is-testnet", "-v", "info", "-s", tor.Control.ToString()!, "-c", config];
        return new Onionbalance(directory, tor, ForegroundProcess.Start(command));
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await _tor.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    public override string ToString() => _process.ToString();
}
