using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>SOCKS servers that are not tor, as workers: what they carry, and what they cannot do.</summary>
[TestFixture("microsocks")]
[TestFixture("danted")]
[TestFixture("ssh -D")]
[CancelAfter(60_000)]
public sealed class OtherSocksServersTests(string program)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);

    private SocksServer _server = null!;
    private SocksServer.Echo _echo = null!;
    private ListLogger _log = null!;
    private LinuxTransport _transport = null!;
    private SocksPipelining _pipelining = null!;

    private WorkerModel Worker => new("other", _server.EndPoint) { IsTor = false };

    [SetUp]
    public async Task StartAsync()
    {
        using var patience = new CancellationTokenSource(Longest);
        _server = await SocksServer.StartAsync(program, patience.Token);
        _echo = new SocksServer.Echo();
        _log = new ListLogger();
        _transport = new LinuxTransport(1);
        _pipelining = new SocksPipelining(_transport, new Microsoft.Extensions.Logging.Logger<SocksPipelining>(_log));
    }

    [TearDown]
    public async Task StopAsync()
    {
        if (_server is null)
            return;
        _transport?.Dispose();
        _log?.Dispose();
        if (_echo is not null)
            await _echo.DisposeAsync();
        await _server.DisposeAsync();
    }

    [TestCase("localhost")]
    [TestCase("127.0.0.1")]
    [TestCase("::1")]
    public async Task Targets_are_reached_by_name_and_by_address(string host, CancellationToken token)
    {
        for (int i = 0; i < 2; i++)
        {
            var result = await DialAsync(host, _echo.Port, IsolationToken.None, token);
            Assert.That(result.Error.IsError, Is.False, result.Error.ToString());
            await using var connection = result.Connection!;
            await connection.WriteAsync("through"u8.ToArray(), token);
            Assert.That(await ReadAsync(connection, 7, token), Is.EqualTo("through"u8.ToArray()));
        }

        Assert.That(_pipelining.Of(Worker), Is.Not.Null);
        Assert.That(_log.OfEvent("OneMessageAtATime").Count(), Is.EqualTo(_pipelining.Of(Worker) == false ? 1 : 0), "said once, if at all");
    }

    /// <summary>microsocks has RFC 1928's codes; ssh and some others give one for everything, and none is the worker's fault.</summary>
    [Test]
    public async Task Targets_that_refuse_or_do_not_exist_are_told_as_such(CancellationToken token)
    {
        var refused = await DialAsync("127.0.0.1", _echo.ClosedPort, IsolationToken.None, token);
        var unknown = await DialAsync("nowhere.invalid", 80, IsolationToken.None, token);
        TestContext.Progress.WriteLine($"{program}: refused {refused.Error}, unknown {unknown.Error}");
        Assert.That(refused.Error.IsError && unknown.Error.IsError, Is.True);
        Assert.That(refused.Error.Cause, Is.EqualTo(program == "ssh -D" ? FailureCause.GeneralFailure : FailureCause.ConnectionRefused));
        Assert.That(unknown.Error.Cause, Is.EqualTo(program == "danted" ? FailureCause.HostUnreachable : FailureCause.GeneralFailure));
        Assert.That(
            new[] { refused, unknown }.Select(static one => one.Error.Cause.Info().Evidence), Has.None.EqualTo(FailureEvidence.Full));
    }

    [Test]
    public async Task Isolation_is_not_to_be_had_and_that_is_said(CancellationToken token)
    {
        var result = await DialAsync("localhost", _echo.Port, new IsolationToken("0123456789abcdef0123456789abcdef"), token);
        Assert.That(
            result.Error.Cause, Is.EqualTo(program == "ssh -D" ? FailureCause.WorkerClosed : FailureCause.WorkerAuthRejected),
            "ssh closes instead");
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_probe_brings_a_token_only_where_connections_do(bool isolates, CancellationToken token)
    {
        var dialer = new WorkerDialer(_transport, new ConnectOptions(), TimeProvider.System, null, _pipelining);
        var probe = new CircuitProbe(dialer, TimeProvider.System, null, isolates);
        var result = await probe.RunAsync(Worker, Canary.Parse($"127.0.0.1:{_echo.Port}"), Longest, token);
        Assert.That(result.Works, Is.EqualTo(!isolates), result.Detail);
    }

    private async Task<DialResult> DialAsync(string host, int port, IsolationToken isolation, CancellationToken token)
    {
        Assert.That(HostEndPoint.TryCreate(host, port, out var target), Is.True);
        var dialer = new WorkerDialer(_transport, new ConnectOptions(), TimeProvider.System, null, _pipelining);
        return await dialer.DialAsync(Worker, ProxyCommand.Connect, target, isolation, Longest, token);
    }

    private static async Task<byte[]> ReadAsync(TransportConnection connection, int count, CancellationToken token)
    {
        var result = await connection.Input.ReadAtLeastAsync(count, token);
        byte[] read = System.Buffers.BuffersExtensions.ToArray(result.Buffer);
        connection.Input.AdvanceTo(result.Buffer.End);
        return read;
    }
}
