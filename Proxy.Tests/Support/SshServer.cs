using System.Diagnostics;
using System.Globalization;
using System.Net;
using TorBalancer.Processes;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Tests.Support;

/// <summary>A throw-away sshd on loopback, with keys of its own; whoever runs the tests may log in with the client's key.</summary>
internal sealed class SshServer : IAsyncDisposable
{
    // sshd that is started by root insists on it; distributions make it in their service's start.
    private const string PrivilegeSeparation = "/run/sshd";

    private readonly string _directory;
    private readonly Process _process;

    private SshServer(string directory, int port, Process process)
    {
        _directory = directory;
        Port = port;
        _process = process;
    }

    public int Port { get; }

    public string UserKey => Path.Combine(_directory, "user");

    public string KnownHosts => Path.Combine(_directory, "known_hosts");

    /// <summary>OpenBSD's nc, the one with -X; the calling test is skipped without it.</summary>
    public static string RequireNetcat()
    {
        string? nc = Executables.Find("nc.openbsd");
        if (nc is null)
            Assert.Ignore("skipped: OpenBSD's nc is not installed");
        return nc!;
    }

    public static Task<SshServer> StartAsync(TestNetwork network, CancellationToken token) =>
        StartAsync(
            [IPAddress.Loopback, .. Enumerable.Range(0, network.Exits.Count).Select(TestNetworkPlan.ExitAddress)], TestNetwork.OriginName,
            [], token);

    /// <param name="addresses">Where it listens; all on one port.</param>
    /// <param name="name">What clients call it.</param>
    /// <param name="under">A program with arguments that runs it, and leaves the process its own.</param>
    public static async Task<SshServer> StartAsync(IPAddress[] addresses, string name, string[] under, CancellationToken token)
    {
        string sshd = ClientProcess.Require("sshd");
        string directory = Directory.CreateTempSubdirectory("tbs").FullName;
        foreach (string key in (string[])["host", "user"])
        {
            await ClientProcess.RunAsync(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", Path.Combine(directory, key)], token);
        }

        int port = WebOrigin.FreePort(addresses, WebOrigin.LastPort - 1000);
        string listen = string.Concat(
            addresses.Select(address => string.Create(CultureInfo.InvariantCulture, $"ListenAddress {address}:{port}\n")));
        await File.WriteAllTextAsync(
            Path.Combine(directory, "sshd_config"),
            $"""
            {listen}
            HostKey {directory}/host
            AuthorizedKeysFile {directory}/user.pub
            PidFile none
            UsePAM no
            StrictModes no
            PermitRootLogin yes
            PasswordAuthentication no
            PrintMotd no
            UseDNS no
            """,
            token);
        string hostKey = (await File.ReadAllTextAsync(Path.Combine(directory, "host.pub"), token)).Trim();
        await File.WriteAllTextAsync(
            Path.Combine(directory, "known_hosts"), string.Create(CultureInfo.InvariantCulture, $"[{name}]:{port} {hostKey}\n"), token);
        if (Environment.IsPrivilegedProcess)
            Directory.CreateDirectory(PrivilegeSeparation);

        string[] command = [.. under, sshd, "-D", "-e", "-f", Path.Combine(directory, "sshd_config")];
        Process process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        })!;
        var server = new SshServer(directory, port, process);
        try
        {
            // "Server listening on … port …", once for each address; an error before that ends it.
            for (int listening = 0; listening < addresses.Length;)
            {
                string line = await process.StandardError.ReadLineAsync(token) ?? throw new InvalidOperationException("sshd did not start");
                TestContext.Progress.WriteLine($"sshd: {line}");
                listening += line.StartsWith("Server listening", StringComparison.Ordinal) ? 1 : 0;
            }

            _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
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
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
