using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Measuring;
using TorBalancer.Benchmarks.SideBySide.Scenarios;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary><c>side-by-side …</c>, which bench.sh calls: us and the peers in alternating rounds, one table for each load.</summary>
internal static class SideBySideCommand
{
    public static int Run(string[] args)
    {
        RunOptions options;
        try
        {
            options = RunOptions.Parse(args);
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException)
        {
            Console.Error.WriteLine(failure.Message);
            return 2;
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, static _ => KillAndExit());
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static _ => KillAndExit());
        try
        {
            var specs = Specs(options);
            using var bench = new Bench(options, specs);
            var report = new Report(options, specs);
            if (options.Profile)
                ProfileRun.Run(bench, report);
            else
                RunScenarios(bench, report);
            report.Finish();
            return 0;
        }
        catch (Exception failure) when (failure is InvalidOperationException or IOException or TimeoutException or ArgumentException)
        {
            Console.Error.WriteLine(failure.Message);
            return 1;
        }
        finally
        {
            ChildProcess.KillAll();
        }
    }

    private static void RunScenarios(Bench bench, Report report)
    {
        var cells = Cells.Of(bench.Options).ToList();
        bool fairness = bench.Options.Only.Contains("fairness");
        if (cells.Count > 0 || fairness)
        {
            bench.StartAll();
            foreach (var cell in cells)
                report.Add(Comparison.Run(bench, cell));
            if (fairness)
                report.Add(FairnessScenario.Run(bench));
            bench.StopAll();
        }

        foreach (var cell in Cells.Cold(bench.Options))
            report.Add(Comparison.RunCold(bench, cell));
        Cell[] requests = [.. Cells.OfRequests(bench.Options)];
        if (requests.Length > 0)
        {
            bench.StartAll(requests);
            foreach (var cell in requests)
                report.Add(Comparison.RunRequests(bench, cell));
            bench.StopAll();
        }

        foreach (var comparison in TransparentScenario.Run(bench))
            report.Add(comparison);
        if (bench.Options.Only.Contains(TransparentScenario.Name))
            report.Add(TransPortScenario.Run(bench));
        if (bench.Options.Only.Contains("idle"))
            report.Add(IdleScenario.Run(bench));
        if (bench.Options.Only.Contains("start"))
            report.Add(StartScenario.Run(bench));
        if (bench.Options.Only.Contains("tor"))
            report.Add(TorScenario.Run(bench));
        if (bench.Options.Only.Contains("identities"))
            report.Add(IdentitiesScenario.Run(bench));
    }

    private static List<ForwarderSpec> Specs(RunOptions options)
    {
        string[] ours = options.Engines
            ? ["torbalancer-linux", "torbalancer-sockets", "torbalancer-fd-linux", "torbalancer-fd-sockets", "torbalancer-linux-nolog"]
            : ["torbalancer", "torbalancer-fd", "torbalancer-nolog"];
        if (options.Quick && !options.Engines)
            ours = ["torbalancer", "torbalancer-fd"];
        var specs = new List<ForwarderSpec>();
        foreach (
            string name in options.Forwarders ??
            [
                .. options.Only.Any(static scenario => scenario != "requests")
                    ? ["haproxy", "haproxy-splice", "v2ray", .. options.Quick ? (string[])[] : ["microsocks"]]
                    : (string[])[],
                .. options.Only.Contains("requests")
                    ? [HttpPeers.HaProxyName, HttpPeers.PrivoxyName, HttpPeers.TinyproxyName]
                    : (string[])[],
                .. ours,
            ])
        {
            var spec = name switch
            {
                "haproxy" => Peers.HaProxy(splice: false),
                "haproxy-splice" => Peers.HaProxy(splice: true),
                "v2ray" => Peers.V2Ray(),
                "microsocks" => Peers.Microsocks(),
                HttpPeers.HaProxyName => HttpPeers.HaProxy(),
                HttpPeers.PrivoxyName => HttpPeers.Privoxy(),
                HttpPeers.TinyproxyName => HttpPeers.Tinyproxy(),
                RelayForwarders.Name => RelayForwarders.Create(),
                _ when TorBalancers.IsName(name) => TorBalancers.Create(options.Root, name, options.Profile, options.Before),
                _ => throw new ArgumentException($"{name} is no forwarder"),
            };
            if (spec is null)
                Console.Error.WriteLine($"{name} is left out: it has not been built");
            else
                specs.Add(spec);
        }

        return specs;
    }

    private static void KillAndExit()
    {
        ChildProcess.KillAll();
        Environment.Exit(130);
    }
}
