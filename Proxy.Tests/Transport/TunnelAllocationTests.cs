using System.Net.Sockets;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

/// <summary>Relaying leaves nothing to collect: an hour of bulk data causes no collection of the relay's.</summary>
[TestFixture]
public class TunnelAllocationTests
{
    private const int Rounds = 2000;

    /// <param name="size">Bytes of each message there and back: copied, copied in part and spliced, spliced.</param>
    [TestCase(64)]
    [TestCase(20 * 1024)]
    [TestCase(256 * 1024)]
    [CancelAfter(120_000)]
    public async Task Chunk_costs_no_memory(int size, CancellationToken token)
    {
        var loops = new EventLoops(1);
        await using var rig = new TunnelRig(new LinuxTransport(loops, default));
        using var tunnel = await rig.OpenAsync(token);

        // What is made once and kept: pipes, arrays for what found no room.
        await BounceAsync(tunnel, size, Rounds / 4, token);
        long before = await AllocatedAsync(loops.Least());
        await BounceAsync(tunnel, size, Rounds, token);
        long allocated = await AllocatedAsync(loops.Least()) - before;

        // The question itself may cost something, once.
        Assert.That(allocated, Is.LessThan(Rounds), "bytes, which is less than one for each message");
    }

    private static async Task BounceAsync(RiggedTunnel tunnel, int size, int rounds, CancellationToken token)
    {
        var (message, there, back) = (new byte[size], new byte[size], new byte[size]);
        for (int i = 0; i < rounds; i++)
        {
            // Both at once: neither may fill the buffers on its way without anybody who reads.
            await Task.WhenAll(SendAsync(tunnel.Client, message, token), ReceiveAsync(tunnel.Worker, there, token));
            await Task.WhenAll(SendAsync(tunnel.Worker, there, token), ReceiveAsync(tunnel.Client, back, token));
        }
    }

    private static async Task SendAsync(Socket socket, byte[] data, CancellationToken token)
    {
        for (int sent = 0; sent < data.Length;)
            sent += await socket.SendAsync(data.AsMemory(sent), SocketFlags.None, token);
    }

    private static async Task ReceiveAsync(Socket socket, byte[] data, CancellationToken token)
    {
        for (int length = 0; length < data.Length;)
        {
            int count = await socket.ReceiveAsync(data.AsMemory(length), SocketFlags.None, token);
            Assert.That(count, Is.Positive);
            length += count;
        }
    }

    /// <summary>Bytes that the loop's own thread has allocated so far.</summary>
    private static Task<long> AllocatedAsync(EventLoop loop)
    {
        var question = new Question();
        loop.Post(question);
        return question.Answer.Task;
    }

    private sealed class Question : ILoopWork
    {
        public TaskCompletionSource<long> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run() => Answer.SetResult(GC.GetAllocatedBytesForCurrentThread());
    }
}
