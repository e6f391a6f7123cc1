using System.Net;
using System.Net.Sockets;
using TorBalancer.Testnet;

namespace TorBalancer.Tests.Testnet;

public sealed class PortBlockTests
{
    [Test]
    public void Claim_many_blocks_have_no_port_in_common_and_stay_below_the_ephemeral_range()
    {
        var blocks = Enumerable.Range(0, 10).Select(_ => PortBlock.Claim()).ToList();
        try
        {
            int[] ports = blocks.SelectMany(b => Enumerable.Range(1, PortBlock.Size - 1).Select(_ => b.Next())).ToArray();
            Assert.That(ports, Is.Unique);
            Assert.That(ports, Is.All.InRange(10_000, 32_767));
        }
        finally
        {
            blocks.ForEach(b => b.Dispose());
        }
    }

    [Test]
    public void Next_port_is_free_until_the_block_ends()
    {
        using PortBlock block = PortBlock.Claim();
        for (int i = 1; i < PortBlock.Size; i++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, block.Next()));
        }

        Assert.That(block.Next, Throws.InvalidOperationException);
    }
}
