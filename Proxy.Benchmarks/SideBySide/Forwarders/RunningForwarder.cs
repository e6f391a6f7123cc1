using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Forwarders;

/// <summary>A forwarder that listens, pinned to its core.</summary>
internal sealed class RunningForwarder : IDisposable
{
    private readonly ChildProcess _process;
    private readonly ForwarderSite _site;

    private RunningForwarder(ForwarderSpec spec, ForwarderSite site, ChildProcess process, double startSeconds)
    {
        Spec = spec;
        _site = site;
        _process = process;
        StartSeconds = startSeconds;
    }

    public ForwarderSpec Spec { get; }

    public int Id => _process.Id;

    public int Port => _site.Port;

    /// <summary>Where it takes connections that NAT turns to it, if it does.</summary>
    public int TransparentPort => _site.ThirdPort;

    /// <summary>From before its process was made until a client could connect.</summary>
    public double StartSeconds { get; }

    /// <summary>Where clients of that kind go.</summary>
    public int PortFor(ClientProtocol client) => client == ClientProtocol.Connect && !Spec.IsOurs ? _site.SecondPort : _site.Port;

    public HandshakeScript Script(ClientProtocol client, int targetPort) => Spec.Script(client, _site.Workers, targetPort);

    public static RunningForwarder Start(ForwarderSpec spec, string directory, int[] workers, int originPort, int core)
    {
        var site = new ForwarderSite(
            directory, LoopbackSocket.FreePort(), LoopbackSocket.FreePort(), LoopbackSocket.FreePort(), workers, originPort);
        string command = spec.Prepare(site);
        double began = ProcessFacts.Now();
        var process = ChildProcess.Start(command, core, spec.Environment);
        try
        {
            process.WaitForPort(site.Port);
            return new RunningForwarder(spec, site, process, ProcessFacts.Now() - began);
        }
        catch (InvalidOperationException failure)
        {
            process.Dispose();
            string log = Path.Combine(directory, spec.Name + ".log");
            throw new InvalidOperationException(
                $"{spec.Name}: {failure.Message}\n{(File.Exists(log) ? File.ReadAllText(log) : "")}", failure);
        }
    }

    public void Dispose() => _process.Dispose();
}
