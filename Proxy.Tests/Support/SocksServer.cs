using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Tests.Support;

/// <summary>
/// A SOCKS server of the system's that is not tor, on loopback. It looks names up nowhere: its resolver is a closed port.
/// </summary>
internal sealed class SocksServer : IAsyncDisposable
{
    private readonly string _directory;
    private ForegroundProcess? _process;
    private SshServer? _ssh;

    private SocksServer(string directory, int port)
    {
        _directory = directory;
        EndPoint = new IPEndPoint(IPAddress.Loopback, port);
    }

    public IPEndPoint EndPoint { get; }

    /// <summary>
    /// Starts microsocks, danted or "ssh -D"; the calling test is skipped when that is not installed or may not be shut off from the
    /// network.
    /// </summary>
    public static async Task<SocksServer> StartAsync(string program, CancellationToken token)
    {
        if (!Environment.IsPrivilegedProcess)
            Assert.Ignore("skipped: only root may give a program a resolver of its own");
        ClientProcess.Require(program == "ssh -D" ? "ssh" : program);
        string directory = Directory.CreateTempSubdirectory("tbw").FullName;
        var server = new SocksServer(directory, WebOrigin.FreePort([IPAddress.Loopback], WebOrigin.LastPort - 2000));
        try
        {
            await server.RunAsync(program, token);
            while (!await RealTor.AcceptsAsync(server.EndPoint, token))
                await Task.Delay(20, token);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        if (_ssh is not null)
            await _ssh.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task RunAsync(string program, CancellationToken token)
    {
        string resolver = Path.Combine(_directory, "resolv.conf");
        await File.WriteAllTextAsync(resolver, "nameserver 127.0.0.1\n", token);
        string[] under = ["unshare", "--mount", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"", resolver];
        string port = EndPoint.Port.ToString(CultureInfo.InvariantCulture);
        switch (program)
        {
            case "microsocks":
                _process = ForegroundProcess.Start([.. under, program, "-i", "127.0.0.1", "-p", port]);
                break;
            case "danted":
                await File.WriteAllTextAsync(Path.Combine(_directory, "danted.conf"), DanteConfiguration(port), token);
                _process = ForegroundProcess.Start(
                    [.. under, program, "-f", Path.Combine(_directory, "danted.conf"), "-p", Path.Combine(_directory, "pid")]);
                break;
            default:
                _ssh = await SshServer.StartAsync([IPAddress.Loopback], "127.0.0.1", under, token);
                _process = ForegroundProcess.Start(
                [
                    "ssh", "-N", "-D", $"127.0.0.1:{port}", "-p", _ssh.Port.ToString(CultureInfo.InvariantCulture), "-i", _ssh.UserKey,
                    "-o", $"UserKnownHostsFile={_ssh.KnownHosts}", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-F", "none",
                    $"{Environment.UserName}@127.0.0.1",
                ]);
                break;
        }
    }

    private static string DanteConfiguration(string port) => $$"""
        internal: 127.0.0.1 port = {{port}}
        external: 127.0.0.1
        external: ::1
        external.rotation: route
        clientmethod: none
        socksmethod: none
        user.privileged: root
        user.unprivileged: root
        client pass { from: 0/0 to: 0/0 }
        socks pass { from: 0/0 to: 0/0 }

        """;

    /// <summary>An echo on both loopback addresses, one port, and one on which nothing listens.</summary>
    internal sealed class Echo : IAsyncDisposable
    {
        private readonly List<(TcpListener Listener, Task Loop)> _listeners = [];
        private readonly CancellationTokenSource _stop = new();

        public Echo()
        {
            Port = WebOrigin.FreePort([IPAddress.Loopback, IPAddress.IPv6Loopback], WebOrigin.LastPort - 3000);
            foreach (var address in (IPAddress[])[IPAddress.Loopback, IPAddress.IPv6Loopback])
            {
                var listener = new TcpListener(address, Port);
                listener.Start();
                _listeners.Add((listener, ServeAsync(listener)));
            }

            // Looked for only now: as long as nothing listened on Port, it would itself have been a free one.
            ClosedPort = WebOrigin.FreePort([IPAddress.Loopback, IPAddress.IPv6Loopback], Port + 1);
        }

        public int Port { get; }

        public int ClosedPort { get; }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            foreach (var (listener, loop) in _listeners)
            {
                await loop; // before the listener ends: a loop that has just accepted asks it once more
                listener.Stop();
            }
        }

        private async Task ServeAsync(TcpListener listener)
        {
            var running = new List<Task>();
            try
            {
                while (true)
                    running.Add(EchoAsync(await listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (OperationCanceledException)
            {
            }

            await Task.WhenAll(running);
        }

        private async Task EchoAsync(TcpClient client)
        {
            using (client)
            {
                try
                {
                    await client.GetStream().CopyToAsync(client.GetStream(), _stop.Token);
                }
                catch (Exception failure) when (failure is IOException or OperationCanceledException)
                {
                }
            }
        }
    }
}
