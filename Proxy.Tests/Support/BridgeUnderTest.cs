using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using TorBalancer.Interop;
using TorBalancer.Processes;
using TorBalancer.Testnet;

namespace TorBalancer.Tests.Support;

/// <summary>A bridge with obfs4 into the test network, which no list of that network has.</summary>
internal sealed partial class BridgeUnderTest : IAsyncDisposable
{
    private readonly string _directory;
    private readonly TorProcess _process;
    private readonly TaskCompletionSource<string> _listens = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private BridgeUnderTest(string directory, string torrc)
    {
        _directory = directory;
        _process = TorProcess.Start(new TorStartInfo(RealTor.Executable, torrc) { OnOutput = OnOutput });
    }

    /// <summary>As a torrc has it behind "Bridge ".</summary>
    public string Line { get; private set; } = "";

    public string Fingerprint { get; private set; } = "";

    /// <summary>Starts it and returns when clients can come in by it.</summary>
    public static async Task<BridgeUnderTest> StartAsync(TestNetwork network, string directory, CancellationToken token)
    {
        PrivateDirectory.Make(directory, PrivateDirectoryOptions.None);
        string torrc = Path.Combine(directory, "torrc");
        await File.WriteAllLinesAsync(
            torrc,
            [
                .. network.ClientTorrc.Where(static line => line != "ClientOnly 1"), $"DataDirectory {directory}/data",
                $"ControlSocket {directory}/control", "SocksPort 0", "Nickname obfuscated", "BridgeRelay 1", "PublishServerDescriptor 0",
                "BridgeDistribution none", "ORPort 127.0.0.1:auto IPv4Only", "ExtORPort auto", "Address 127.0.0.1",
                "ServerTransportPlugin obfs4 exec " + ClientProcess.Require("obfs4proxy"),
                $"ServerTransportListenAddr obfs4 127.0.0.1:{FreePort.Find()}",
                $"__OwningControllerProcess {Environment.ProcessId}", "Log notice stdout",
            ],
            token);
        var bridge = new BridgeUnderTest(directory, torrc);
        try
        {
            await bridge.BootstrapAsync(token);
            return bridge;
        }
        catch
        {
            await bridge.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await _process.DisposeAsync();

    private async Task BootstrapAsync(CancellationToken token)
    {
        var endPoint = new UnixDomainSocketEndPoint(Path.Combine(_directory, "control"));
        await using var control = await RealTor.BootstrappedAsync(_process, endPoint, token);
        Fingerprint = await control.GetInfoAsync("fingerprint", token);
        string address = await _listens.Task.WaitAsync(token);
        string template = await File.ReadAllTextAsync(Path.Combine(_directory, "data/pt_state/obfs4_bridgeline.txt"), token);
        Line = string.Create(CultureInfo.InvariantCulture, $"obfs4 {address} {Fingerprint} {Arguments().Match(template).Value}");
    }

    /// <summary>tor takes no 0 there, and without an address obfs4 would listen on all of them.</summary>
    private void OnOutput(string line)
    {
        if (Registered().Match(line) is { Success: true } found)
            _listens.TrySetResult(found.Groups[1].Value);
    }

    [GeneratedRegex("Registered server transport 'obfs4' at '([^']+)'")]
    private static partial Regex Registered();

    [GeneratedRegex("cert=\\S+ iat-mode=\\d")]
    private static partial Regex Arguments();
}
