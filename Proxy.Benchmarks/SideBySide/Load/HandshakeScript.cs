using System.Buffers.Binary;
using System.Text;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>What a client says first, message by message, and when an answer is complete.</summary>
internal sealed class HandshakeScript(params HandshakeStep[] steps)
{
    private const string TargetHost = "bench.test";

    /// <summary>No handshake: the client says at once what it has to say.</summary>
    public static readonly HandshakeScript None = new();

    public HandshakeStep[] Steps { get; } = steps;

    /// <summary>A SOCKS5 client with a host name and no password (RFC 1928).</summary>
    public static HandshakeScript Socks5(int targetPort, string host = TargetHost) => new(
        new HandshakeStep([5, 1, 0], static reply => reply.Length < 2 ? 0 : reply is [5, 0, ..] ? 1 : -1),
        new HandshakeStep(Socks5Request(host, targetPort), IsSocks5Reply));

    /// <summary>The same with a user name and password (RFC 1929).</summary>
    public static HandshakeScript Socks5As(string user, string password, int targetPort, string host = TargetHost) => new(
        new HandshakeStep([5, 1, 2], static reply => reply.Length < 2 ? 0 : reply is [5, 2, ..] ? 1 : -1),
        new HandshakeStep(Credentials(user, password), static reply => reply.Length < 2 ? 0 : reply is [1, 0, ..] ? 1 : -1),
        new HandshakeStep(Socks5Request(host, targetPort), IsSocks5Reply));

    /// <summary>As RFC 1929 has them on the wire.</summary>
    public static byte[] Credentials(string user, string password) =>
        [1, (byte)user.Length, .. Encoding.ASCII.GetBytes(user), (byte)password.Length, .. Encoding.ASCII.GetBytes(password)];

    /// <summary>An HTTP client that asks for a tunnel.</summary>
    public static HandshakeScript HttpConnect(int targetPort) => new(
        new HandshakeStep(
            Encoding.ASCII.GetBytes($"CONNECT {TargetHost}:{targetPort} HTTP/1.1\r\nHost: {TargetHost}:{targetPort}\r\n\r\n"),
            IsHttpReply));

    /// <summary>
    /// For a forwarder that dials by itself and knows no workers: the client leads it to the worker and speaks SOCKS5 again.
    /// </summary>
    public static HandshakeScript ThroughDirectDialer(int workerPort, int targetPort)
    {
        byte[] toWorker = [5, 1, 0, 1, 127, 0, 0, 1, (byte)(workerPort >> 8), (byte)workerPort];
        var inner = Socks5(targetPort).Steps;
        return new HandshakeScript(inner[0], new HandshakeStep(toWorker, IsSocks5Reply), inner[0], inner[1]);
    }

    /// <summary>CONNECT to a host name (RFC 1928, section 4).</summary>
    public static byte[] Socks5Request(string host, int port)
    {
        var request = new byte[5 + host.Length + 2];
        request[0] = 5;
        request[1] = 1;
        request[3] = 3;
        request[4] = (byte)host.Length;
        Encoding.ASCII.GetBytes(host, request.AsSpan(5));
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(5 + host.Length), (ushort)port);
        return request;
    }

    private static int IsSocks5Reply(ReadOnlySpan<byte> reply)
    {
        if (reply.Length < 5)
            return 0;
        if (reply is not [5, 0, ..])
            return -1;
        int length = reply[3] switch { 1 => 10, 4 => 22, _ => 7 + reply[4] };
        return reply.Length >= length ? 1 : 0;
    }

    private static int IsHttpReply(ReadOnlySpan<byte> reply)
    {
        // Behind the head there may be what the target said first.
        if (reply.IndexOf("\r\n\r\n"u8) < 0)
            return 0;
        return reply.StartsWith("HTTP/1.1 200"u8) || reply.StartsWith("HTTP/1.0 200"u8) ? 1 : -1;
    }
}

/// <summary>1: the answer is complete and good; 0: more must come; -1: refused.</summary>
internal delegate int ReplyCheck(ReadOnlySpan<byte> reply);

internal sealed record HandshakeStep(byte[] Message, ReplyCheck Check);
