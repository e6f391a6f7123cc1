using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>A dialer with preconnected connections; loopback counts as a network.</summary>
internal sealed class PreconnectBench : IAsyncDisposable
{
    private static readonly IsolationToken Token = new("00112233445566778899aabbccddeeff");

    private readonly ITransport _engine;

    public PreconnectBench(string engine, bool includesLoopback = true, TimeProvider? time = null, ConnectOptions? options = null)
    {
        time ??= TimeProvider.System;
        Options = options ?? new ConnectOptions();
        _engine = engine == "sockets" ? new SocketTransport(time) : new LinuxTransport(2);
        Transport = new GatedTransport(_engine);
        Sockets = new PreconnectPool(Transport, Pool, Options, time) { IncludesLoopback = includesLoopback };
        Dialer = new WorkerDialer(Transport, Options, time, Sockets);
        Pool.Apply([new WorkerModel("w", Worker.EndPoint)]);
    }

    public ConnectOptions Options { get; }

    public GatedTransport Transport { get; }

    public WorkerPool Pool { get; } = new();

    public PreconnectPool Sockets { get; }

    public WorkerDialer Dialer { get; }

    public FakeTorWorker Worker { get; } = new();

    public WorkerState State => Pool.Find("w")!;

    public Task<DialResult> DialAsync(CancellationToken token, WorkerModel? worker = null)
    {
        Assert.That(HostEndPoint.TryCreate("example.com", 80, out var target), Is.True);
        return Dialer.DialAsync(worker ?? State.Model, ProxyCommand.Connect, target, Token, TimeSpan.FromSeconds(45), token).AsTask();
    }

    /// <summary>Dials, closes again, and gives the port that the connection came from.</summary>
    public async Task<int> UseAsync(CancellationToken token, WorkerModel? worker = null)
    {
        var result = await DialAsync(token, worker);
        Assert.That(result.Error.IsError, Is.False, result.Error.ToString());
        await using var connection = result.Connection!;
        return ((IPEndPoint)connection.LocalEndPoint!).Port;
    }

    /// <summary>Uses the worker once, so that one connection is preconnected, accepted and alone; gives its port.</summary>
    public async Task<int> PrepareAsync(CancellationToken token)
    {
        await UseAsync(token);
        await Until(() => Sockets.Count == 1 && Worker is { Accepted: 2, Open: 1 }, token);
        return Worker.LastPeerPort;
    }

    public static async Task Until(Func<bool> condition, CancellationToken token)
    {
        while (!condition())
            await Task.Delay(2, token);
    }

    public async ValueTask DisposeAsync()
    {
        await Sockets.DisposeAsync();
        await Worker.DisposeAsync();
        (_engine as IDisposable)?.Dispose();
    }
}
