using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using TorBalancer.Benchmarks.Support;

namespace TorBalancer.Benchmarks.Transport;

/// <summary>16 MiB one way. The time of one MiB is what is shown.</summary>
[MemoryDiagnoser]
public class TunnelBulkBenchmark
{
    private const int MiB = 1 << 20, Count = 16;

    private readonly byte[] _data = new byte[MiB / 4], _received = new byte[MiB / 4];
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

    [Benchmark(Baseline = true, OperationsPerInvoke = Count)]
    public void Direct() => Move(_direct.Worker, _direct.Client);

    [Benchmark(OperationsPerInvoke = Count)]
    public void TunnelDown() => Move(_tunnel.Worker, _tunnel.Client);

    [Benchmark(OperationsPerInvoke = Count)]
    public void TunnelUp() => Move(_tunnel.Client, _tunnel.Worker);

    private void Move(Socket from, Socket to)
    {
        var sending = Task.Run(() =>
        {
            for (int sent = 0; sent < Count * MiB; sent += _data.Length)
                from.Send(_data);
        });
        for (int received = 0; received < Count * MiB;)
            received += to.Receive(_received);
        sending.GetAwaiter().GetResult();
    }
}
