using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>A private Tor network that is up. Its processes and ours may run on all cores: nothing here counts their time.</summary>
/// <param name="Directory">Temporary; it goes with the network.</param>
/// <param name="Configuration">The daemon's, with the network's workers.</param>
internal sealed partial record TorNetwork(string Executable, string Directory, string Configuration)
{
    private static readonly string Everywhere = $"taskset -c 0-{Environment.GetEnvironmentVariable("BENCH_CORES") ?? "1"}";

    /// <summary>The port of the network's web server, on 127.0.0.1.</summary>
    public int OriginPort => int.Parse(Origin().Match(Configuration).Groups[1].Value, CultureInfo.InvariantCulture);

    /// <summary>The workers' SocksPorts, on 127.0.0.1.</summary>
    public int[] SocksPorts =>
        [.. SocksPort().Matches(Configuration).Select(static match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))];

    /// <summary>Starts one, measures, and ends it. Says why when there is none.</summary>
    public static string Run(Bench bench, string title, Func<TorNetwork, string> measure)
    {
        string? executable = TorBalancers.Released(bench.Options.Root) ?? TorBalancers.FrameworkDependent(bench.Options.Root);
        if (executable is null)
            return $"### {title}\n\nLeft out: torbalancer has not been built.\n";
        string directory = System.IO.Directory.CreateTempSubdirectory("torbalancer-bench-tor-").FullName;
        string network = Path.Combine(directory, "net");
        try
        {
            if (ChildProcess.OutputOf($"{Everywhere} {executable} testnet up --directory {network} 2>&1") is null)
                return $"### {title}\n\nLeft out: the test network did not start (see `torbalancer testnet up`).\n";
            string configuration = File.ReadAllText(Path.Combine(network, "torbalancer.conf"));
            return $"### {title}\n\n{measure(new TorNetwork(executable, directory, configuration))}";
        }
        finally
        {
            ChildProcess.OutputOf($"{executable} testnet down --directory {network} 2>&1");
            System.IO.Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Starts a daemon with what is added to the configuration, and waits until this port of it is open.</summary>
    public ChildProcess StartDaemon(string added, int port)
    {
        string file = Path.Combine(Directory, "bench.conf");
        File.WriteAllText(file, $"{Configuration}\n{added}\n[Admin]\nAddress = none\nSocket = none\n[Balancing]\nIsolation = none\n");
        var daemon = ChildProcess.Start($"{Everywhere} {Executable} run --config {file} >{Directory}/daemon.log 2>&1", null);
        daemon.WaitForPort(port);
        return daemon;
    }

    [GeneratedRegex(@"^Canary = http://[^:]+:(\d+)/", RegexOptions.Multiline)]
    private static partial Regex Origin();

    [GeneratedRegex(@"^SocksPort = (\d+)", RegexOptions.Multiline)]
    private static partial Regex SocksPort();
}
