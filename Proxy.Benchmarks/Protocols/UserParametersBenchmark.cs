using BenchmarkDotNet.Attributes;
using TorBalancer.Balancing;
using TorBalancer.Protocols;

namespace TorBalancer.Benchmarks.Protocols;

/// <summary>User names: one that means nothing to us, and the ways of asking for a session.</summary>
[MemoryDiagnoser]
public class UserParametersBenchmark
{
    private readonly UserParametersParser _parser = new(SelectionPolicyNames.All);
    private readonly ClientCredentials _opaque = new("www.example.com", "0123456789abcdef");
    private readonly ClientCredentials _session = new("session-abc", "");
    private readonly ClientCredentials _several = new("session-abc-mode-failover-lifetime-10m", "");
    private readonly ClientCredentials _commercial = new("customer-U-cc-DE-sessid-abc-sesstime-10", "secret");
    private readonly ClientCredentials _password = new("user", "secret_country-br_session-8chars_lifetime-10m");

    [Benchmark(Baseline = true)]
    public object Opaque() => Parse(_opaque);

    [Benchmark]
    public object Session() => Parse(_session);

    [Benchmark]
    public object Several() => Parse(_several);

    [Benchmark]
    public object Commercial() => Parse(_commercial);

    [Benchmark]
    public object InThePassword() => Parse(_password);

    private UserParameters Parse(ClientCredentials credentials)
    {
        if (_parser.Parse(credentials, null, out var parameters).IsError)
            throw new InvalidOperationException("the user name is not understood");
        return parameters;
    }
}
