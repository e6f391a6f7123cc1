using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Processes;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Support;

/// <summary>A tor of the system's with <c>DisableNetwork 1</c>: it answers on its control socket and opens no connection at all.</summary>
internal sealed class RealTor : IAsyncDisposable
{
    private readonly TorProcess _process;

    private RealTor(string directory, TorProcess process)
    {
        Directory = directory;
        _process = process;
    }

    public string Directory { get; }

    public TorProcess Process => _process;

    public EndPoint Control => new UnixDomainSocketEndPoint(Path.Combine(Directory, "control"));

    /// <summary>The executable; the test is ignored when there is none.</summary>
    public static string Executable => Executables.FindTor("auto") ?? throw new IgnoreException("no tor executable on this machine");

    public static async Task<RealTor> StartAsync(CancellationToken token, params string[] extraLines)
    {
        // 0700, which tor demands of the directory of a control socket.
        string directory = System.IO.Directory.CreateTempSubdirectory("tbt").FullName;
        string torrc = Path.Combine(directory, "torrc");
        await File.WriteAllLinesAsync(torrc,
            [
                "DisableNetwork 1", "SocksPort 0", $"DataDirectory {directory}/data", $"ControlSocket {directory}/control",
                "Log notice stdout", .. extraLines,
            ],
            token);
        var tor = new RealTor(directory, TorProcess.Start(new TorStartInfo(Executable, torrc)));
        try
        {
            await AcceptingAsync(tor._process, tor.Control, token);
            return tor;
        }
        catch
        {
            await tor.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until a tor has a way into the network, and returns its control port.</summary>
    public static async Task<ControlConnection> BootstrappedAsync(TorProcess process, EndPoint control, CancellationToken token)
    {
        await AcceptingAsync(process, control, token);
        var connection = await ConnectToAsync(control, token);
        while ((await connection.GetBootstrapAsync(token)).Progress < 100)
            await Task.Delay(50, token);
        return connection;
    }

    /// <summary>A connection to a control port that asks for nothing, or says itself where its cookie is.</summary>
    public static Task<ControlConnection> ConnectToAsync(EndPoint control, CancellationToken token) => ControlConnection.ConnectAsync(
        control, ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);

    private static async Task AcceptingAsync(TorProcess process, EndPoint control, CancellationToken token)
    {
        while (!await AcceptsAsync(control, token))
        {
            if (process.Exited.IsCompleted)
                throw new InvalidOperationException("tor ended: " + string.Join('\n', process.LastLines));
            await Task.Delay(20, token);
        }
    }

    public Task<ControlConnection> ConnectAsync(CancellationToken token, ControlCredentials? credentials = null)
        => ControlConnection.ConnectAsync(
            Control, credentials ?? ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System,
            token);

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    public static async Task<bool> AcceptsAsync(EndPoint endPoint, CancellationToken token)
    {
        using var socket = new Socket(
            endPoint.AddressFamily, SocketType.Stream, endPoint is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(endPoint, token);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
