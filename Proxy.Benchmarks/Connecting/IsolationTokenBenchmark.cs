using System.Net;
using BenchmarkDotNet.Attributes;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Benchmarks.Connecting;

/// <summary>One token for one connection, by what is to be kept apart.</summary>
[MemoryDiagnoser]
public class IsolationTokenBenchmark
{
    private readonly IsolationTokenFactory _factory = new();
    private ConnectionOwner _anonymous, _named, _session;
    private HostEndPoint _target;

    [GlobalSetup]
    public void Setup()
    {
        HostEndPoint.TryCreate("www.example.com", 443, out _target);
        _anonymous = new ConnectionOwner("main", IPAddress.Loopback, null, UserParameters.None);
        _named = _anonymous with { Credentials = new ClientCredentials("www.example.com", "0123456789abcdef") };
        _session = _anonymous with
        {
            Credentials = new ClientCredentials("session-abc", ""),
            Parameters = new UserParameters { Session = "abc" },
        };
    }

    [Benchmark(Baseline = true)]
    public object? Client() => _factory.Create(IsolationMode.Client, _anonymous, _target).Password;

    [Benchmark]
    public object? ClientWithCredentials() => _factory.Create(IsolationMode.Client, _named, _target).Password;

    [Benchmark]
    public object? Destination() => _factory.Create(IsolationMode.Destination, _named, _target).Password;

    [Benchmark]
    public object? Connection() => _factory.Create(IsolationMode.Connection, _anonymous, _target).Password;

    [Benchmark]
    public object? Session() => _factory.Create(IsolationMode.Client, _session, _target).Password;

    [Benchmark]
    public object? None() => _factory.Create(IsolationMode.None, _anonymous, _target).Password;
}
