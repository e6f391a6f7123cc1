using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using TorBalancer.Testnet.Origin;

namespace TorBalancer.Testnet.Distance;

/// <summary>
/// Stands on the ORPort that a relay advertises and passes each chunk on to the port where the relay listens, a fixed time after it
/// came, both ways: the relay is as far away as that. It takes a port, needs no privileges, and limits no throughput that a loopback
/// network reaches.
/// </summary>
internal static class LatencyForwarder
{
    private const int ChunkBytes = 32 * 1024;

    /// <summary>Chunks that one direction holds at most, 16 MiB: at 1 s of latency still as much as tor moves here in a second.</summary>
    private const int MaxChunks = 512;

    /// <summary>Listens until it is disposed. Throws <see cref="SocketException"/> when it cannot.</summary>
    /// <param name="advertised">Where connections come in; loopback.</param>
    /// <param name="behind">Where they go; loopback.</param>
    /// <param name="latency">How long each chunk is held, one way.</param>
    /// <param name="time">Measures it.</param>
    public static LoopbackServer Start(IPEndPoint advertised, IPEndPoint behind, TimeSpan latency, TimeProvider time)
    {
        LoopbackGuard.Require(behind);
        return LoopbackServer.Start([advertised], ForwardAsync, time);

        async Task ForwardAsync(Socket client, CancellationToken cancellationToken)
        {
            using var relay = new Socket(behind.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            client.NoDelay = true;
            await relay.ConnectAsync(behind, cancellationToken);
            using var broken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var (up, down) = (new Direction(client, relay, latency, time), new Direction(relay, client, latency, time));
            await Task.WhenAll(
                Guard(up.TakeAsync(broken.Token)), Guard(up.DeliverAsync(broken.Token)),
                Guard(down.TakeAsync(broken.Token)), Guard(down.DeliverAsync(broken.Token)));

            // What breaks takes the whole connection with it.
            async Task Guard(Task part)
            {
                try
                {
                    await part;
                }
                catch
                {
                    await broken.CancelAsync();
                    throw;
                }
            }
        }
    }

    /// <summary>A chunk that came, and when; an empty one is the end.</summary>
    private readonly record struct Chunk(byte[] Buffer, int Length, long Arrived);

    private sealed class Direction(Socket from, Socket to, TimeSpan latency, TimeProvider time)
    {
        private readonly Channel<Chunk> _underWay = Channel.CreateBounded<Chunk>(
            new BoundedChannelOptions(MaxChunks) { SingleReader = true, SingleWriter = true });

        public async Task TakeAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
                int length = await from.ReceiveAsync(buffer, cancellationToken);
                await _underWay.Writer.WriteAsync(new Chunk(buffer, length, time.GetTimestamp()), cancellationToken);
                if (length == 0)
                    return;
            }
        }

        public async Task DeliverAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                var chunk = await _underWay.Reader.ReadAsync(cancellationToken);
                var left = latency - time.GetElapsedTime(chunk.Arrived);
                if (left > TimeSpan.Zero)
                    await Task.Delay(left, time, cancellationToken);
                for (int sent = 0; sent < chunk.Length;)
                    sent += await to.SendAsync(chunk.Buffer.AsMemory(sent, chunk.Length - sent), cancellationToken);
                ArrayPool<byte>.Shared.Return(chunk.Buffer);
                if (chunk.Length != 0)
                    continue;
                to.Shutdown(SocketShutdown.Send);
                return;
            }
        }
    }
}
