using System.Net;
using TorBalancer.Processes;

namespace TorBalancer.Testnet.Nodes;

internal enum TestNodeRole : byte
{
    Authority,
    Relay,
    Exit,
    Worker,
    OnionService,
}

internal enum TestNodeState : byte
{
    Stopped,
    Running,
    Paused,
}

/// <summary>One tor of the network: where it lives, and its process.</summary>
internal sealed class TestNode
{
    // Twice in a hundred stops a tor outlived SIGTERM by 8 s; none needs more than a few hundred ms otherwise.
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(1.5);

    // 18 processes: 970 MB become 268 MB. Relays keep lzma's memory otherwise.
    private static readonly Dictionary<string, string> Environment = new()
    {
        ["MALLOC_MMAP_THRESHOLD_"] = "1048576",
        ["MALLOC_ARENA_MAX"] = "1",
    };

    private TorProcess? _process;
    private bool _paused;

    /// <summary>a01, r01, e01, worker-01 or onion; relays have it as their nickname.</summary>
    public required string Name { get; init; }

    public required TestNodeRole Role { get; init; }

    /// <summary>Its data directory, mode 0700.</summary>
    public required string Directory { get; init; }

    /// <summary>
    /// Its own address: 127.0.0.1, but for exits, which have one each of the loopback network. So a GeoIP file can
    /// put each into a country of its own; tor looks loopback addresses up in it as it does others.
    /// </summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>Where others reach it; 0 for clients.</summary>
    public int OrPort { get; init; }

    /// <summary>Where it listens itself, when what comes to <see cref="OrPort"/> is held for a while first; else 0.</summary>
    public int HiddenOrPort { get; init; }

    /// <summary>0 but for authorities.</summary>
    public int DirPort { get; init; }

    /// <summary>Workers: the SocksPort that answers with extended error codes (F0-F7). 0 for others.</summary>
    public int SocksPort { get; init; }

    /// <summary>Workers: a second SocksPort, as tor has them by default.</summary>
    public int PlainSocksPort { get; init; }

    /// <summary>Workers: the DNSPort (UDP).</summary>
    public int DnsPort { get; init; }

    /// <summary>Relays: the RSA identity's fingerprint, 40 upper-case hex digits. Empty for clients.</summary>
    public string Fingerprint { get; set; } = "";

    public string TorrcPath => Path.Combine(Directory, "torrc");

    public string LogPath => Path.Combine(Directory, "log");

    public string ControlPath => Path.Combine(Directory, "ctl");

    public string CookiePath => Path.Combine(Directory, "cookie");

    public bool IsRelay => Role is TestNodeRole.Authority or TestNodeRole.Relay or TestNodeRole.Exit;

    /// <summary>The id of the process that runs, or ran last; 0 before the first start.</summary>
    public int ProcessId => _process?.ProcessId ?? 0;

    public TestNodeState State => _process is null || _process.Exited.IsCompleted
        ? TestNodeState.Stopped
        : _paused ? TestNodeState.Paused : TestNodeState.Running;

    /// <summary>What it printed last, oldest first.</summary>
    public IReadOnlyList<string> LastLines => _process?.LastLines ?? [];

    /// <summary>The exit code when the process ends; throws before the first start.</summary>
    public Task<int> Exited => _process?.Exited ?? throw new InvalidOperationException($"{Name} was never started");

    public void Start(string torPath, TimeProvider time)
    {
        _paused = false;

        // A session of its own: Ctrl-C in our terminal is for us, who stop the nodes in order.
        _process = TorProcess.Start(new TorStartInfo(torPath, TorrcPath) { Environment = Environment, OwnSession = true }, time);
    }

    /// <summary>SIGSTOP: it accepts connections (the kernel does) and never answers.</summary>
    public void Pause() => Signal(ProcessSignals.Pause, paused: true);

    public void Resume() => Signal(ProcessSignals.Resume, paused: false);

    /// <summary>SIGHUP: relays fetch at once what they back off from fetching.</summary>
    public void HangUp() => Signal(ProcessSignals.HangUp, _paused);

    /// <summary>SIGKILL; returns when the process is gone.</summary>
    public async Task KillAsync()
    {
        if (_process is null)
            return;
        _process.Kill();
        await _process.Exited;
    }

    /// <summary>Ends it in whatever state it is, and lets go of the process.</summary>
    public async Task StopAsync()
    {
        if (_process is null)
            return;
        if (State == TestNodeState.Paused)
            Resume();
        await _process.StopAsync(StopGrace);
        await _process.DisposeAsync();
    }

    public override string ToString() => Name;

    private void Signal(Action<int> signal, bool paused)
    {
        if (State == TestNodeState.Stopped)
            throw new InvalidOperationException($"{Name} is not running");
        signal(ProcessId);
        _paused = paused;
    }
}
