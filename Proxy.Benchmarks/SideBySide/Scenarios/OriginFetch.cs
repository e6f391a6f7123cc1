using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>One fetch from the test network's origin, timed.</summary>
/// <param name="FirstByte">Seconds from before the connect to the answer's first byte.</param>
internal readonly record struct OriginFetch(double FirstByte, double BytesPerSecond)
{
    private const string Host = "origin.test";
    private static readonly byte[] Buffer = new byte[256 * 1024];

    public static OriginFetch Run(int socksPort, int originPort, int bytes) =>
        Run(null, new IPEndPoint(IPAddress.Loopback, socksPort), HandshakeScript.Socks5(originPort, Host).Steps, bytes);

    /// <summary>The same from where the kernel turns connections to a proxy.</summary>
    /// <param name="source">The client's address, by which it is known where to turn it.</param>
    public static OriginFetch RunTransparent(IPAddress source, IPEndPoint origin, int bytes) =>
        Run(new IPEndPoint(source, 0), origin, [], bytes);

    private static OriginFetch Run(IPEndPoint? source, IPEndPoint server, IReadOnlyList<HandshakeStep> steps, int bytes)
    {
        double began = ProcessFacts.Now();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = 60_000,
        };
        if (source is not null)
            socket.Bind(source);
        socket.Connect(server);
        foreach (var step in steps)
        {
            socket.Send(step.Message);
            int length = 0, verdict;
            do
                length += Receive(socket, Buffer.AsSpan(length));
            while ((verdict = step.Check(Buffer.AsSpan(0, length))) == 0);
            if (verdict < 0)
                throw new IOException($"the port {server.Port} refused a fetch: {Convert.ToHexString(Buffer.AsSpan(0, length))}");
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
