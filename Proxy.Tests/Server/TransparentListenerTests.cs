using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Server;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Server;

/// <summary>What needs no kernel that redirects; the rest is in Scenarios/GatewayTests.</summary>
[CancelAfter(30_000)]
public sealed class TransparentListenerTests
{
    [Test]
    public async Task Connection_that_nobody_redirected_is_reset_at_once([Values] EngineKind engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], options =>
        {
            options.Engine.Transport = engine;
            options.Listeners[0].Protocols = ListenerProtocols.Transparent;
        });

        // It may come before connecting is over, or right behind.
        Assert.That(await ResetAsync(proxy, token), Is.EqualTo(SocketError.ConnectionReset));
        string line = (await proxy.Log.WaitForAsync("access", 1, token))[0].Message;
        Assert.That(line, Does.Contain("protocol=transparent").And.Contains("cause=route_rejected").And.Contains("attempts=0"));
        Assert.That(proxy.Log.Entries.Count(static entry => entry.Event.Id == ServerEventIds.TransparentRefused), Is.EqualTo(1));
    }

    /// <summary>Over the listener's own address TPROXY's target is the listener itself, as it is for whoever connects to it.</summary>
    [TestCase("127.0.0.1", true)]
    [TestCase("127.0.0.9", true)]
    [TestCase("198.51.100.7", false)]
    public void Local_addresses_are_known(string address, bool expected) =>
        Assert.That(LocalAddress.Is(IPAddress.Parse(address)), Is.EqualTo(expected));

    [Test]
    public async Task Loops_are_refused_and_other_targets_are_not([Values] bool isMapped)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Admin.Address = new IPEndPoint(IPAddress.Loopback, 4711));
        var targets = proxy.Get<TransparentTargets>();
        var listener = new ListenerModel(
            new ListenerOptions { Name = "lan", Protocols = ListenerProtocols.Transparent, Transparent = TransparentWay.TProxy },
            IsolationMode.Client);

        Assert.That(Find(proxy.Address.Address, proxy.Address.Port), Is.EqualTo(FailureCause.RouteRejected), "its own listener");
        Assert.That(Find(IPAddress.Parse("127.0.0.8"), proxy.Address.Port), Is.EqualTo(FailureCause.RouteRejected), "its port elsewhere");
        Assert.That(Find(IPAddress.Loopback, 4711), Is.EqualTo(FailureCause.RouteRejected), "the admin API");
        var own = (IPEndPoint)worker.EndPoint;
        Assert.That(Find(own.Address, own.Port), Is.EqualTo(FailureCause.RouteRejected), "a worker");
        Assert.That(Find(IPAddress.Parse("198.51.100.7"), proxy.Address.Port), Is.EqualTo(FailureCause.None), "its port of another host");
        Assert.That(Find(IPAddress.Parse("198.51.100.7"), 443), Is.EqualTo(FailureCause.None));

        FailureCause Find(IPAddress address, int port)
        {
            var local = new IPEndPoint(isMapped ? address.MapToIPv6() : address, port);
            var error = targets.Find(new Accepted(local), listener, out var target);
            if (!error.IsError)
                Assert.That((target.Address, target.Port), Is.EqualTo((address, port)));
            return error.Cause;
        }
    }

    private static async Task<SocketError> ResetAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        try
        {
            await using var client = await proxy.ConnectAsync();
            await client.ReadExactlyAsync(new byte[1], token);
            return SocketError.Success;
        }
        catch (Exception failure) when (failure is IOException or SocketException)
        {
            return ((failure as SocketException ?? failure.InnerException) as SocketException)?.SocketErrorCode ?? SocketError.SocketError;
        }
    }

    /// <summary>A connection of which nothing is asked but where it arrived.</summary>
    private sealed class Accepted(EndPoint local) : TransportConnection
    {
        public override EndPoint? LocalEndPoint => local;

        public override IPAddress? RemoteAddress => IPAddress.Parse("192.0.2.9");

        public override System.IO.Pipelines.PipeReader Input => throw new NotSupportedException();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public override bool TryClaim() => throw new NotSupportedException();

        public override void Schedule(IThreadPoolWorkItem work) => throw new NotSupportedException();

        public override void ShutdownSend() => throw new NotSupportedException();

        public override void Abort() => throw new NotSupportedException();

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
