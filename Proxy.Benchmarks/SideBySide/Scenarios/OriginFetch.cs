using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>One fetch from the test network's origin through a SOCKS5 port, timed.</summary>
/// <param name="FirstByte">Seconds from before the connect to the answer's first byte.</param>
internal readonly record struct OriginFetch(double FirstByte, double BytesPerSecond)
{
    private const string Host = "origin.test";
    private static readonly byte[] Buffer = new byte[256 * 1024];

    public static OriginFetch Run(int socksPort, int originPort, int bytes)
    {
        double began = ProcessFacts.Now();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = 60_000,
        };
        socket.Connect(IPAddress.Loopback, socksPort);
        foreach (var step in HandshakeScript.Socks5(originPort, Host).Steps)
        {
            socket.Send(step.Message);
            int length = 0, verdict;
            do
                length += Receive(socket, Buffer.AsSpan(length));
            while ((verdict = step.Check(Buffer.AsSpan(0, length))) == 0);
            if (verdict < 0)
                throw new IOException($"the port {socksPort} refused a fetch: {Convert.ToHexString(Buffer.AsSpan(0, length))}");
        }

        socket.Send(Encoding.ASCII.GetBytes($"GET /bytes/{bytes} HTTP/1.1\r\nHost: {Host}\r\nConnection: close\r\n\r\n"));
        long received = Receive(socket, Buffer);
        double first = ProcessFacts.Now();
        while (received < bytes)
            received += Receive(socket, Buffer);
        return new OriginFetch(first - began, received / (ProcessFacts.Now() - first));
    }

    private static int Receive(Socket socket, Span<byte> buffer) =>
        socket.Receive(buffer) is > 0 and var count ? count : throw new IOException("the connection ended in the middle of a fetch");
}
