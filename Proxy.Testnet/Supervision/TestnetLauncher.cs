using System.Diagnostics;
using System.Globalization;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Processes;

namespace TorBalancer.Testnet.Supervision;

/// <summary>Starts a detached supervisor and shows its progress until it is ready.</summary>
internal sealed class TestnetLauncher(TestnetDirectory directory, TextWriter output, TimeProvider time)
{
    /// <summary>The hidden command that the supervisor runs.</summary>
    public const string ServeCommand = "serve";

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Returns the state of the running network. Throws <see cref="TestNetworkException"/> with its reason when it failed.
    /// </summary>
    public async Task<TestnetState> StartAsync(TestNetworkOptions options, CancellationToken cancellationToken)
    {
        using Process supervisor = Spawn(options);
        using var log = new StreamReader(
            new FileStream(directory.LogPath, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        try
        {
            while (true)
            {
                bool ended = supervisor.HasExited;
                string said = await log.ReadToEndAsync(cancellationToken);
                await output.WriteAsync(said);
                TestnetState? state = directory.ReadState();
                if (state?.Phase == TestnetPhase.Ready)
                    return state;
                if (ended)
                    throw new TestNetworkException(
                        state?.Error ?? $"the supervisor ended with code {supervisor.ExitCode.ToString(CultureInfo.InvariantCulture)}");
                await Task.Delay(PollInterval, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C while it starts: nothing is to stay behind.
            ProcessSignals.Terminate(supervisor.Id);
            await supervisor.WaitForExitAsync(CancellationToken.None);
            throw;
        }
    }

    /// <summary>
    /// Ourselves again, with the log as output. A shell opens the log, because a pipe to us would break when we go; it
    /// then becomes the supervisor, so the process id is the supervisor's.
    /// </summary>
    private Process Spawn(TestNetworkOptions options)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$@\" </dev/null >>\"$0\" 2>&1", directory.LogPath, .. Ourselves()]);
        foreach (string argument in (string[])
            [
                "testnet", ServeCommand, "--directory", directory.Path,
                "--workers", Text(options.Workers), "--relays", Text(options.Relays), "--exits", Text(options.Exits),
                "--latency", DurationText.Show(options.Latency),
                .. options.DocumentationAddresses ? ["--documentation-addresses"] : Array.Empty<string>(),
            ])
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    /// <summary>How this program was started: an executable of its own, or a library that dotnet runs.</summary>
    private static string[] Ourselves()
    {
        string path = Environment.ProcessPath ?? throw new TestNetworkException("our own executable is unknown");
        return Path.GetFileNameWithoutExtension(path) == "dotnet"
            ? [path, Path.Combine(AppContext.BaseDirectory, "torbalancer.dll")]
            : [path];
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
