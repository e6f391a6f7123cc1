using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using TorBalancer.Processes;
using TorBalancer.Testnet;

namespace TorBalancer.Tests.Support;

/// <summary>
/// The real executable as a process of its own, for what only a process shows: its signals, exit code and system calls.
/// Tests that need none of that use <see cref="ProxyUnderTest"/>.
/// </summary>
internal sealed partial class DaemonUnderTest : IAsyncDisposable
{
    private const string NotifySocket = "NOTIFY_SOCKET";

    private readonly Process _process;
    private readonly bool _ownsDirectory;
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly IReadOnlyList<string> _under;
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly Task _reading;
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private DaemonUnderTest(
        Process process, string directory, bool ownsDirectory, IReadOnlyList<string> under,
        IReadOnlyDictionary<string, string> environment)
    {
        _process = process;
        Directory = directory;
        (_ownsDirectory, _under, _environment) = (ownsDirectory, under, environment);
        _reading = Task.WhenAll(DrainAsync(process.StandardOutput), DrainAsync(process.StandardError));
        Exited = WaitAsync();
    }

    /// <summary>Its configuration, and room for a test's own files; removed with it.</summary>
    public string Directory { get; }

    public int ProcessId => _process.Id;

    /// <summary>Where its first listener listens.</summary>
    public IPEndPoint Address { get; private set; } = new(IPAddress.Loopback, 0);

    /// <summary>Its exit code, once it has ended and all that it printed has been read.</summary>
    public Task<int> Exited { get; }

    /// <summary>All that it printed so far.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
                return [.. _lines];
        }
    }

    /// <summary>A directory for <see cref="StartAsync"/>, made before it when the configuration has to name files in it.</summary>
    public static string MakeDirectory() => System.IO.Directory.CreateTempSubdirectory("tbd").FullName;

    /// <summary>The configuration of a daemon in front of a network's workers. Sections that a test adds come behind it.</summary>
    public static string ConfigurationFor(TestNetwork network) => TestNetworkConf.Render(network);

    /// <summary>Starts it with a listener on a port of its own and returns when it says that it is ready.</summary>
    /// <param name="configuration">The file, without [Listener] and [Admin] sections.</param>
    /// <param name="admin">The [Admin] Address line.</param>
    /// <param name="socket">The value of [Admin] Socket.</param>
    /// <param name="notify">Where it is to say READY=1.</param>
    /// <param name="environment">Further variables.</param>
    /// <param name="under">
    /// A program with arguments that runs the daemon, such as strace -D; it must leave the process id the daemon's.
    /// </param>
    public static async Task<DaemonUnderTest> StartAsync(
        string configuration, CancellationToken token, string? directory = null, IReadOnlyList<string>? under = null,
        string admin = "Address = none", string socket = "none",
        string? notify = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        directory ??= MakeDirectory();
        string file = Path.Combine(directory, "torbalancer.conf");
        await File.WriteAllTextAsync(
            file, $"[Listener:main]\nAddress = 127.0.0.1:0\n\n[Admin]\n{admin}\nSocket = {socket}\n\n" + configuration, token);

        return await LaunchAsync(
            [ProgramRun.Daemon, "run", "--config", file], directory, ownsDirectory: true, under ?? [],
            new Dictionary<string, string>(environment ?? new Dictionary<string, string>())
            {
                [NotifySocket] = notify ?? "",
            }, token);
    }

    /// <summary>Starts it with a file that stands somewhere already, and returns when it says that it is ready.</summary>
    /// <param name="directory">Room for its state, which stays the caller's.</param>
    /// <param name="arguments">What goes before the file, as <c>--Section:Key=value</c>.</param>
    public static Task<DaemonUnderTest> StartFileAsync(
        string file, string directory, IReadOnlyList<string> under, CancellationToken token, params string[] arguments) => LaunchAsync(
        [ProgramRun.Daemon, "run", "--config", file, .. arguments], directory, ownsDirectory: false, under,
        new Dictionary<string, string>(), token);

    /// <summary>
    /// Another process that takes over from this one, with the configuration that stands there by now; returns when it says that it is
    /// ready. Disposed before this one, which has the directory.
    /// </summary>
    public Task<DaemonUnderTest> SucceedAsync(CancellationToken token, params string[] arguments) => LaunchAsync(
        [ProgramRun.Daemon, "run", "--takeover", "--config", Path.Combine(Directory, "torbalancer.conf"), .. arguments], Directory,
        ownsDirectory: false, _under, _environment, token);

    private static async Task<DaemonUnderTest> LaunchAsync(
        string[] program, string directory, bool ownsDirectory, IReadOnlyList<string> under,
        IReadOnlyDictionary<string, string> environment, CancellationToken token)
    {
        string[] command = [.. under, .. program];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["HOME"] = directory;

        // A runtime that lives in the home directory is found by the name it has there.
        start.Environment.TryAdd("DOTNET_ROOT", Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..")));
        foreach (
            string name in (string[])[
                "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "NOTIFY_SOCKET", "JOURNAL_STREAM"])
            start.Environment.Remove(name);
        foreach (var (name, value) in environment.Where(static one => one.Key != NotifySocket || one.Value.Length > 0))
            start.Environment[name] = value;

        var daemon = new DaemonUnderTest(Process.Start(start)!, directory, ownsDirectory, under, environment);
        try
        {
            string ready = await daemon.WaitForLineAsync(static line => line.Contains(" Ready: ", StringComparison.Ordinal), token);
            daemon.Address = IPEndPoint.Parse(ReadyAddress().Match(ready).Groups[1].Value);
            return daemon;
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
    }

    /// <summary>The first line of those that it printed and prints that is like this; fails the test when it ends without one.</summary>
    /// <param name="after">How many of the lines that are like this to pass over.</param>
    public async Task<string> WaitForLineAsync(Predicate<string> isWanted, CancellationToken token, int after = 0)
    {
        while (true)
        {
            Task more;
            lock (_lock)
            {
                var found = _lines.FindAll(isWanted);
                if (found.Count > after)
                    return found[after];
                more = _more.Task;
            }

            await Task.WhenAny(more, Exited).WaitAsync(token);
            if (Exited.IsCompleted && Lines.Count(line => isWanted(line)) <= after)
                Assert.Fail($"the daemon ended with code {await Exited}; it printed:\n{string.Join('\n', Lines)}");
        }
    }

    /// <summary>Where its admin API listens, which it was given an address for.</summary>
    public async Task<string> AdminAddressAsync(CancellationToken token)
    {
        string line = await WaitForLineAsync(static line => line.Contains(" Admin API on 127.", StringComparison.Ordinal), token);
        return line[(line.LastIndexOf(' ') + 1)..];
    }

    public void Terminate() => ProcessSignals.Terminate(_process.Id);

    public void Kill() => ProcessSignals.Kill(_process.Id);

    /// <summary>SIGTERM, and its exit code.</summary>
    public async Task<int> StopAsync(CancellationToken token)
    {
        Terminate();
        return await Exited.WaitAsync(token);
    }

    public async ValueTask DisposeAsync()
    {
        if (!Exited.IsCompleted)
        {
            Terminate();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
            await Exited.WaitAsync(patience.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
            if (!Exited.IsCompleted)
                Kill();
            await Exited;
        }

        _process.Dispose();
        if (_ownsDirectory)
            System.IO.Directory.Delete(Directory, recursive: true);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address.Address}:{Address.Port}");

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync();
        await _reading;
        return _process.ExitCode;
    }

    private async Task DrainAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            TaskCompletionSource more;
            lock (_lock)
            {
                _lines.Add(line);
                more = _more;
                _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            more.SetResult();
        }
    }

    [GeneratedRegex(@"http://([0-9.:]+)")]
    private static partial Regex ReadyAddress();
}
