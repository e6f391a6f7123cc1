using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>What a process has of its machine at one time.</summary>
/// <param name="At">On the soak's clock.</param>
/// <param name="Descriptors">Without pipes.</param>
/// <param name="Pipes">Descriptors of pipes: each loop keeps up to 32 idle ones.</param>
/// <param name="ResidentKiB">Resident memory.</param>
/// <param name="Clients">Client connections that it serves.</param>
internal sealed record ProcessFigures(TimeSpan At, int Descriptors, int Pipes, int Threads, long ResidentKiB, int Clients);

/// <summary>The real daemon in front of a test network, told by its admin API to drain and to reload.</summary>
internal sealed partial class SoakDaemon : IAsyncDisposable
{
    private static readonly string[] Modes = ["round_robin", "random", "least_connections", "power_of_two", "fastest"];

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });
    private readonly DaemonUnderTest _daemon;
    private readonly string _admin;
    private readonly string _configuration;

    private SoakDaemon(DaemonUnderTest daemon, string admin, string configuration) =>
        (_daemon, _admin, _configuration) = (daemon, admin, configuration);

    public IPEndPoint Address => _daemon.Address;

    public IReadOnlyList<string> Lines => _daemon.Lines;

    public static async Task<SoakDaemon> StartAsync(TestNetwork network, CancellationToken token)
    {
        // Without the onion canary: a relay that dies takes the service's introduction points with it, which is no worker's fault.
        string configuration = OnionCanary().Replace(DaemonUnderTest.ConfigurationFor(network), "").Replace(
            "[Health]\n",
            "[Health]\nCheckInterval = 1s\nStepTimeout = 2s\nProbeTimeout = 15s\nSuspectWindow = 8s\nRecoveryBackoff = 500ms, 1s, 2s\n",
            StringComparison.Ordinal)
            + "\n[Log]\nTargets = yes\n\n[Connect]\nWorkerTimeout = 2s\nAttemptTimeout = 20s\n";
        var daemon = await DaemonUnderTest.StartAsync(configuration, token, admin: "Address = 127.0.0.1:0");
        string whole = await File.ReadAllTextAsync(Path.Combine(daemon.Directory, "torbalancer.conf"), token);
        return new SoakDaemon(daemon, "http://" + await daemon.AdminAddressAsync(token), whole);
    }

    public async Task CommandAsync(string path, CancellationToken token)
    {
        using var answer = await _client.PostAsync($"{_admin}/api/v1{path}", null, token);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), await answer.Content.ReadAsStringAsync(token));
    }

    /// <summary>Another mode, other weights, and every odd time one worker less: when one is drained, all are there.</summary>
    public async Task ReloadAsync(int number, CancellationToken token)
    {
        string text = _configuration + string.Create(
            CultureInfo.InvariantCulture,
            $"\n[Balancing]\nMode = {Modes[number % Modes.Length]}\n[Blacklist]\nDuration = {3 + (number % 2)}m\n");
        text = number % 2 == 1
            ? LastWorker().Replace(text, "")
            : text.Replace("[Worker:worker-04]\n", "[Worker:worker-04]\nWeight = 2\n", StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(_daemon.Directory, "torbalancer.conf"), text, token);
        await CommandAsync("/reload", token);
    }

    public ProcessFigures Measure(TimeSpan at)
    {
        string process = string.Create(CultureInfo.InvariantCulture, $"/proc/{_daemon.ProcessId}");
        long resident = 0;
        foreach (string line in File.ReadLines(process + "/status"))
        {
            if (line.StartsWith("VmRSS:", StringComparison.Ordinal))
                resident = long.Parse(line.AsSpan(6).TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
        }

        var (pipes, others) = Descriptors(process);
        return new ProcessFigures(at, others, pipes, Directory.GetDirectories(process + "/task").Length, resident, Clients(process));
    }

    /// <summary>Ends it as a service manager does; what the exit code was.</summary>
    public Task<int> StopAsync(CancellationToken token) => _daemon.StopAsync(token);

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _daemon.DisposeAsync();
    }

    private static (int Pipes, int Others) Descriptors(string process)
    {
        int pipes = 0, others = 0;
        foreach (string path in Directory.EnumerateFileSystemEntries(process + "/fd"))
        {
            if (new FileInfo(path).LinkTarget?.StartsWith("pipe:", StringComparison.Ordinal) == true)
                pipes++;
            else
                others++;
        }

        return (pipes, others);
    }

    /// <summary>Established connections of its own port, as the kernel counts them (proc_pid_net(5)).</summary>
    private int Clients(string process)
    {
        string local = string.Create(CultureInfo.InvariantCulture, $" 0100007F:{Address.Port:X4} ");
        const string established = " 01 ";
        return File.ReadLines(process + "/net/tcp").Count(
            line => line.Contains(local, StringComparison.Ordinal) && line.Contains(established, StringComparison.Ordinal)
                && line.IndexOf(local, StringComparison.Ordinal) < line.IndexOf(established, StringComparison.Ordinal)
                && line.IndexOf(local, StringComparison.Ordinal) < 10);
    }

    [GeneratedRegex(@"OnionCanary = \S+\n")]
    private static partial Regex OnionCanary();

    [GeneratedRegex(@"\[Worker:worker-04\]\n(?:[^\[\n]+\n)+")]
    private static partial Regex LastWorker();
}
