using System.Net;
using System.Net.Sockets;
using TorBalancer.Processes;
using TorBalancer.Testnet;

namespace TorBalancer.Tests.Support;

/// <summary>A further client of the test network, for a worker that is set up in another way than the network's own.</summary>
internal sealed class ClientTor : IAsyncDisposable
{
    private readonly string _directory;
    private readonly TorProcess _process;

    private ClientTor(string directory, TorProcess process)
    {
        _directory = directory;
        _process = process;
    }

    /// <summary>Its control port.</summary>
    public EndPoint Control => new UnixDomainSocketEndPoint(Path.Combine(_directory, "control"));

    public int ProcessId => _process.ProcessId;

    public IPEndPoint Socks { get; private set; } = new(IPAddress.Loopback, 0);

    /// <summary>Starts it and returns when it is connected.</summary>
    /// <param name="socksFlags">Flags of its SocksPort; null: it has none.</param>
    /// <param name="lines">Further lines of its torrc; of an option that is given twice the last counts.</param>
    public static async Task<ClientTor> StartAsync(TestNetwork network, string? socksFlags, CancellationToken token, params string[] lines)
    {
        string directory = Directory.CreateTempSubdirectory("tbt").FullName;
        string torrc = Path.Combine(directory, "torrc"), control = Path.Combine(directory, "control");
        await File.WriteAllLinesAsync(
            torrc,
            [
                .. network.ClientTorrc, $"DataDirectory {directory}/data", $"ControlSocket {control}",
                socksFlags is null ? "SocksPort 0" : $"SocksPort 127.0.0.1:auto {socksFlags}",
                $"__OwningControllerProcess {Environment.ProcessId}", "Log notice stdout", .. lines,
            ],
            token);
        var tor = new ClientTor(directory, TorProcess.Start(new TorStartInfo(RealTor.Executable, torrc)));
        try
        {
            await tor.ConnectAsync(new UnixDomainSocketEndPoint(control), token);
            return tor;
        }
        catch
        {
            await tor.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends its process; its files stay until it is disposed.</summary>
    public async Task StopAsync() => await _process.DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task ConnectAsync(EndPoint endPoint, CancellationToken token)
    {
        await using var control = await RealTor.BootstrappedAsync(_process, endPoint, token);

        // Ours stands before those of further lines.
        if ((await control.GetInfoAsync("net/listeners/socks", token)).Split(' ')[0].Trim('"') is { Length: > 0 } socks)
            Socks = IPEndPoint.Parse(socks);
    }
}
