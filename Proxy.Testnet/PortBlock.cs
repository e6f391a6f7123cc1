using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace TorBalancer.Testnet;

/// <summary>
/// A block of ports on loopback for one network. Its first port is held by a listening socket as long as the block is
/// ours: the kernel lets nobody else, in this process or another, of this user or another, claim the same block, and
/// gives it back when we die. The others are checked to be free, TCP and UDP.
/// </summary>
internal sealed class PortBlock : IDisposable
{
    /// <summary>Ports in a block, the first one included.</summary>
    public const int Size = 240;

    // Above what services usually take, below the range from which the kernel picks ports for outgoing connections.
    private const int Lowest = 10_000;
    private const int End = 32_768;

    private readonly Socket _claim;
    private readonly int _first;
    private int _taken = 1;

    private PortBlock(Socket claim, int first)
    {
        _claim = claim;
        _first = first;
    }

    /// <summary>Claims a free block. Throws <see cref="TestNetworkException"/> when there is none.</summary>
    public static PortBlock Claim()
    {
        const int Count = (End - Lowest) / Size;
        int start = RandomNumberGenerator.GetInt32(Count);
        for (int i = 0; i < Count; i++)
        {
            int first = Lowest + ((start + i) % Count * Size);
            if (TryListen(first) is not { } claim)
                continue;
            if (Enumerable.Range(first + 1, Size - 1).All(IsFree))
                return new PortBlock(claim, first);
            claim.Dispose();
        }

        throw new TestNetworkException(string.Create(
            CultureInfo.InvariantCulture, $"no {Size} free ports in a row on 127.0.0.1 between {Lowest} and {End}"));
    }

    /// <summary>The next port of the block.</summary>
    public int Next() => _taken < Size
        ? _first + _taken++
        : throw new InvalidOperationException("a network needs more ports than a block has");

    public void Dispose() => _claim.Dispose();

    private static Socket? TryListen(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // Listening decides: sockets that are only bound can share a port, as the runtime sets SO_REUSEADDR.
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            socket.Listen(1);
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    private static bool IsFree(int port)
    {
        using Socket? tcp = TryListen(port);
        if (tcp is null)
            return false;
        using var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            udp.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
