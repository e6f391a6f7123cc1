using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Measuring;

/// <summary>
/// A process that ends with us, whatever happens: it is killed when disposed, when this process is told to stop, and by
/// the kernel when this process is killed (so it must be started by a thread that lives as long as the process).
/// </summary>
internal sealed class ChildProcess : IDisposable
{
    private static readonly Lock Gate = new();
    private static readonly List<ChildProcess> Running = [];
    private static readonly bool HasDeathSignal = File.Exists("/usr/bin/setpriv");

    private readonly Process _process;

    private ChildProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public StreamReader Output => _process.StandardOutput;

    /// <param name="command">A shell command line; it replaces the shell.</param>
    /// <param name="core">The only core that it may use; null: where we are.</param>
    public static ChildProcess Start(string command, int? core, IReadOnlyDictionary<string, string>? environment = null)
    {
        string leash = HasDeathSignal ? "setpriv --pdeathsig KILL " : "";
        string pin = core is { } number ? $"taskset -c {number} " : "";
        var info = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true, RedirectStandardInput = true };
        info.ArgumentList.Add("-c");
        info.ArgumentList.Add($"exec {leash}{pin}{command}");
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            info.Environment[name] = value;
        var child = new ChildProcess(Process.Start(info)!);
        lock (Gate)
            Running.Add(child);
        return child;
    }

    /// <summary>What a command prints, or null when it cannot be run.</summary>
    public static string? OutputOf(string command)
    {
        using var child = Start(command, null);
        string output = child.Output.ReadToEnd();
        child._process.WaitForExit();
        return child._process.ExitCode == 0 ? output.Trim() : null;
    }

    public static void KillAll()
    {
        ChildProcess[] all;
        lock (Gate)
            all = [.. Running];
        foreach (var child in all)
            child.Dispose();
    }

    /// <summary>Waits until somebody listens on the port, and gives the seconds that it took.</summary>
    public double WaitForPort(int port)
    {
        double began = ProcessFacts.Now();
        while (ProcessFacts.Now() - began < 30)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(IPAddress.Loopback, port);
                return ProcessFacts.Now() - began;
            }
            catch (SocketException)
            {
                if (_process.HasExited)
                    break;
                _process.WaitForExit(1);
            }
        }

        throw new InvalidOperationException($"nobody came to listen on port {port} (process {Id}, {(HasExited ? "ended" : "running")})");
    }

    public void Signal(int signal) => _ = Native.Kill(Id, signal);

    public void WaitForExit(int milliseconds) => _process.WaitForExit(milliseconds);

    public void Dispose()
    {
        lock (Gate)
        {
            if (!Running.Remove(this))
                return;
        }

        try
        {
            if (!_process.HasExited)
            {
                _process.Kill();
                _process.WaitForExit(5000);
            }
        }
        catch (InvalidOperationException)
        {
            // It ended by itself in between.
        }

        _process.Dispose();
    }
}
