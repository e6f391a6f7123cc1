using System.Net.Sockets;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Transport;

/// <summary>Tunnels.</summary>
public sealed partial class ITransportTests
{
    [Test]
    public async Task Tunnel_forwards_what_was_read_ahead_first_and_keeps_half_close(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        await pair.ClientPeer.SendAsync("first "u8.ToArray(), token);
        var ahead = await pair.Client.Input.ReadAsync(token);
        pair.Client.Input.AdvanceTo(ahead.Buffer.GetPosition(2), ahead.Buffer.End);
        await pair.ClientPeer.SendAsync("second"u8.ToArray(), token);
        pair.ClientPeer.Shutdown(SocketShutdown.Send);
        var tunnel = pair.Start(token);

        Assert.That(await ReadToEndAsync(pair.UpstreamPeer, token), Is.EqualTo("rst second"u8.ToArray()));
        await pair.UpstreamPeer.SendAsync("answer"u8.ToArray(), token);
        pair.UpstreamPeer.Shutdown(SocketShutdown.Send);
        Assert.That(await ReadToEndAsync(pair.ClientPeer, token), Is.EqualTo("answer"u8.ToArray()));
        Assert.That(await tunnel, Is.EqualTo(TunnelEnd.Finished));
        Assert.That((pair.Counters.FromClient, pair.Counters.FromUpstream), Is.EqualTo((10L, 6L)));
    }

    [Test]
    public async Task Tunnel_carries_bulk_both_ways_at_once_whole(CancellationToken token)
    {
        const int size = 24 * 1024 * 1024;
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var tunnel = pair.Start(token);
        var up = SendHashedAsync(pair.ClientPeer, size, 1, token);
        var down = SendHashedAsync(pair.UpstreamPeer, size, 2, token);
        var atUpstream = ReceiveHashedAsync(pair.UpstreamPeer, token);
        var atClient = ReceiveHashedAsync(pair.ClientPeer, token);

        Assert.That(await atUpstream, Is.EqualTo(await up));
        Assert.That(await atClient, Is.EqualTo(await down));
        Assert.That(await tunnel, Is.EqualTo(TunnelEnd.Finished));
        Assert.That((pair.Counters.FromClient, pair.Counters.FromUpstream), Is.EqualTo(((long)size, (long)size)));
    }

    [TestCase(true, TunnelEnd.ClientReset)]
    [TestCase(false, TunnelEnd.UpstreamReset)]
    public async Task Tunnel_passes_a_reset_on(bool byClient, TunnelEnd end, CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var tunnel = pair.Start(token);
        var (resets, hears) = byClient ? (pair.ClientPeer, pair.UpstreamPeer) : (pair.UpstreamPeer, pair.ClientPeer);
        await resets.SendAsync(new byte[] { 7 }, token);
        Assert.That(await hears.ReceiveAsync(new byte[1], token), Is.EqualTo(1));
        resets.LingerState = new LingerOption(true, 0);
        resets.Dispose();

        Assert.That(await tunnel, Is.EqualTo(end));
        Assert.That(
            async () => await hears.ReceiveAsync(new byte[1], token),
            Throws.InstanceOf<SocketException>().With.Property(nameof(SocketException.SocketErrorCode))
                .EqualTo(SocketError.ConnectionReset));
    }

    [Test]
    public async Task Tunnel_without_a_byte_ends_after_the_idle_time(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        Assert.That(await pair.Start(token, TimeSpan.FromMilliseconds(200)), Is.EqualTo(TunnelEnd.IdleTimeout));
    }

    /// <summary>Nothing does so on purpose; if it happens, the connection must not stay for ever.</summary>
    [Test]
    public async Task Tunnel_that_fails_by_a_fault_of_ours_is_cut_and_its_owner_told(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        pair.Counters.NextFromClient = static () => throw new InvalidOperationException("a fault");
        var ended = pair.Start(token);
        await pair.ClientPeer.SendAsync("x"u8.ToArray(), token);
        Assert.That(async () => await ended.WaitAsync(token), Throws.InvalidOperationException.With.Message.EqualTo("a fault"));
        Assert.That(
            async () => await pair.ClientPeer.ReceiveAsync(new byte[1], token), Throws.InstanceOf<SocketException>(), "cut, not finished");
    }

    [Test]
    public async Task Tunnel_ends_when_it_is_cancelled(CancellationToken token)
    {
        using var stop = new CancellationTokenSource();
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var tunnel = pair.Start(stop.Token);
        await pair.ClientPeer.SendAsync(new byte[] { 1 }, token);
        Assert.That(await pair.UpstreamPeer.ReceiveAsync(new byte[1], token), Is.EqualTo(1));
        await stop.CancelAsync();
        Assert.That(await tunnel, Is.EqualTo(TunnelEnd.Aborted));
    }

    [Test]
    public async Task Tunnel_of_cancelled_token_ends_at_once(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        Assert.That(await pair.Start(new CancellationToken(canceled: true)), Is.EqualTo(TunnelEnd.Aborted));
    }

    /// <summary>Telnet and FTP send it. Reads stop at its mark, and splice(2) does not get past it at all.</summary>
    [TestCase(10)]
    [TestCase(300_000)]
    public async Task Tunnel_carries_what_stands_around_urgent_data(int each, CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var tunnel = pair.Start(token);
        var received = ReadToEndAsync(pair.UpstreamPeer, token);
        await SendAllAsync(new byte[each]);
        Assert.That(pair.ClientPeer.Send([1], SocketFlags.OutOfBand), Is.EqualTo(1));
        await SendAllAsync(new byte[each]);
        pair.ClientPeer.Shutdown(SocketShutdown.Send);
        Assert.That((await received).Length, Is.EqualTo(2 * each));
        pair.UpstreamPeer.Shutdown(SocketShutdown.Send);
        Assert.That(await tunnel, Is.EqualTo(TunnelEnd.Finished));

        async Task SendAllAsync(ReadOnlyMemory<byte> data)
        {
            while (!data.IsEmpty)
                data = data[await pair.ClientPeer.SendAsync(data, token)..];
        }
    }

    [Test]
    public async Task Tunnel_ends_when_a_side_that_had_finished_is_reset(CancellationToken token)
    {
        if (engine != "linux")
            Assert.Pass("the managed engine hears of it at its next write");
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var tunnel = pair.Start(token);
        pair.ClientPeer.Shutdown(SocketShutdown.Send);
        Assert.That(await ReadToEndAsync(pair.UpstreamPeer, token), Is.Empty);
        pair.ClientPeer.LingerState = new LingerOption(true, 0);
        pair.ClientPeer.Dispose();
        Assert.That(await tunnel, Is.EqualTo(TunnelEnd.ClientReset));
    }
}
