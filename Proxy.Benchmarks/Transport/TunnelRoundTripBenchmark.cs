using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using TorBalancer.Benchmarks.Support;

namespace TorBalancer.Benchmarks.Transport;

/// <summary>64 bytes there and back, with a tunnel between and without. What a tunnel allocates per chunk shows here: nothing.</summary>
[MemoryDiagnoser]
public class TunnelRoundTripBenchmark
{
    private const int Length = 64;

    private readonly byte[] _message = new byte[Length], _received = new byte[Length];
    private TunnelPair _direct = null!, _tunnel = null!;

    [ParamsSource(nameof(EngineNames))]
    public string Engine { get; set; } = "";

    public static IEnumerable<string> EngineNames => Engines.Names;

    [GlobalSetup]
    public void Setup()
    {
        _direct = new TunnelPair(null);
        _tunnel = new TunnelPair(Engine);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _direct.Dispose();
        _tunnel.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Direct() => RoundTrip(_direct);

    [Benchmark]
    public void Tunnel() => RoundTrip(_tunnel);

    private void RoundTrip(TunnelPair pair)
    {
        Pass(pair.Client, pair.Worker);
        Pass(pair.Worker, pair.Client);
    }

    private void Pass(Socket from, Socket to)
    {
        from.Send(_message);
        for (int received = 0; received < Length;)
            received += to.Receive(_received, received, Length - received, SocketFlags.None);
    }
}
