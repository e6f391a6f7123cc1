using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>
/// Plays an HTTP origin: GET /N is answered with N bytes, a body is taken and thrown away. Head and the first bytes of a body leave in
/// one write, as web servers do it. Keeps all connections.
/// </summary>
internal sealed unsafe class StubOrigin(Epoll epoll, BulkData bulk)
{
    private const int FirstWrite = 8 * 1024;

    private readonly byte[] _answer = new byte[FirstWrite + 256];

    /// <summary>False when the connection is over.</summary>
    public bool Serve(int fd, OriginConnection connection)
    {
        while (true)
        {
            if (connection.ToSend > 0)
            {
                long sent = bulk.Send(fd, connection.ToSend);
                connection.ToSend -= Math.Max(sent, 0);
                if (sent <= 0 || connection.ToSend == 0)
                    WatchOut(fd, connection, connection.ToSend > 0);
                if (sent <= 0 || connection.ToSend == 0)
                    return sent >= 0;
            }
            else if (connection.ToTake > 0)
            {
                long taken = bulk.Take(fd, connection.ToTake);
                connection.ToTake -= Math.Max(taken, 0);
                if (taken <= 0)
                    return taken == 0;
                if (connection.ToTake == 0 && !Answer(fd, connection))
                    return false;
            }
            else
            {
                nint received;
                fixed (byte* free = connection.Free)
                    received = Native.Receive(fd, free, connection.Free.Length, Native.MsgDontWait);
                if (received <= 0)
                    return received < 0 && Marshal.GetLastSystemError() == Native.Again;
                if (!Read(fd, connection, (int)received))
                    return false;
            }
        }
    }

    /// <summary>Takes in what arrived of a request. False when it is none, or its sender is gone.</summary>
    public bool Read(int fd, OriginConnection connection, int received)
    {
        connection.Length += received;
        var head = connection.Received;
        int end = head.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return connection.Free.Length > 0;
        int slash = head.IndexOf(" HTTP/"u8);
        connection.Answer = slash > 0 && Utf8Parser.TryParse(head[(head[..slash].LastIndexOf((byte)'/') + 1)..], out int bytes, out _)
            ? bytes
            : 0;

        // HAProxy writes names in small letters; the others leave them as they came.
        int field = Math.Max(head[..end].IndexOf("ontent-Length: "u8), head[..end].IndexOf("ontent-length: "u8));
        int length = field > 0 && Utf8Parser.TryParse(head[(field + 15)..], out int found, out _) ? found : 0;
        int behind = head.Length - end - 4;
        connection.Length = 0;
        connection.ToTake = length - behind;
        return connection.ToTake >= 0 && (connection.ToTake > 0 || Answer(fd, connection));
    }

    private bool Answer(int fd, OriginConnection connection)
    {
        var answer = _answer.AsSpan();
        int length = Append(answer, 0, "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 29 Nov 2026 00:00:00 GMT\r\n"u8);
        length = Append(answer, length, "Content-Type: text/html\r\nLast-Modified: Sat, 28 Nov 2026 00:00:00 GMT\r\nContent-Length: "u8);
        Utf8Formatter.TryFormat(connection.Answer, answer[length..], out int digits);
        length = Append(answer, length + digits, "\r\n\r\n"u8) + Math.Min(connection.Answer, FirstWrite);
        connection.ToSend = Math.Max(0, connection.Answer - FirstWrite);
        fixed (byte* start = answer)
        {
            if (Native.Send(fd, start, length, Native.MsgDontWait | Native.MsgNoSignal) != length)
                return false;
        }

        return true;
    }

    private static int Append(Span<byte> to, int at, ReadOnlySpan<byte> text)
    {
        text.CopyTo(to[at..]);
        return at + text.Length;
    }

    private void WatchOut(int fd, OriginConnection connection, bool wanted)
    {
        if (connection.WatchesOut == wanted)
            return;
        connection.WatchesOut = wanted;
        epoll.Modify(fd, wanted ? Native.EpollOut : Native.EpollIn, fd);
    }
}

/// <summary>One connection of the origin's.</summary>
internal sealed class OriginConnection
{
    private readonly byte[] _head = new byte[2048];

    public int Length { get; set; }

    public Span<byte> Received => _head.AsSpan(0, Length);

    public Span<byte> Free => _head.AsSpan(Length);

    /// <summary>Bytes of the request's body that have yet to come.</summary>
    public long ToTake { get; set; }

    /// <summary>Bytes of the answer's body, and of those what has yet to be sent.</summary>
    public int Answer { get; set; }

    public long ToSend { get; set; }

    public bool WatchesOut { get; set; }

    public void Reset()
    {
        Length = Answer = 0;
        ToTake = ToSend = 0;
        WatchesOut = false;
    }
}
