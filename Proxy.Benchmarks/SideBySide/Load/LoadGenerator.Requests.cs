using System.Text;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>HTTP requests, one after the other on each connection.</summary>
internal sealed unsafe partial class LoadGenerator
{
    private const int HeadUnread = -1;

    /// <summary>False when it has to wait until the connection is established, or is broken.</summary>
    private bool TryBeginRequest(LoadConnection connection)
    {
        connection.Received = 0;
        connection.BodyToTake = HeadUnread;
        connection.BodyToSend = _plan.Request!.Up ? _plan.Request.Bytes : 0;
        connection.Sent = Send(connection.Fd, _requestHead);
        return connection.Sent;
    }

    /// <summary>False when the connection is broken.</summary>
    private bool AdvanceRequest(LoadConnection connection, uint events)
    {
        if (!connection.WatchesOut)
            return ReadAnswer(connection);
        if ((events & (Native.EpollError | Native.EpollHangUp)) != 0 || (!connection.Sent && !TryBeginRequest(connection)))
            return false;
        return SendBody(connection);
    }

    /// <summary>Sends what fits; the answer is looked for when all of it has been sent.</summary>
    private bool SendBody(LoadConnection connection)
    {
        while (connection.BodyToSend > 0)
        {
            long sent = _bulk.Send(connection.Fd, connection.BodyToSend);
            if (sent < 0)
                return false;
            if (sent == 0)
                break;
            connection.BodyToSend -= sent;
        }

        WatchOut(connection, connection.BodyToSend > 0);
        return true;
    }

    private bool ReadAnswer(LoadConnection connection)
    {
        if (connection.BodyToTake == HeadUnread)
        {
            if (!Receive(connection, connection.Reply.Length))
                return false;
            var received = connection.Reply.AsSpan(0, connection.Received);
            int end = received.IndexOf("\r\n\r\n"u8);
            if (end < 0)
                return true;
            if (!TryReadLength(received[..(end + 2)], out long length))
                return false;
            connection.BodyToTake = length - (received.Length - end - 4);
        }

        if (connection.BodyToTake > 0)
        {
            long taken = _bulk.Take(connection.Fd, connection.BodyToTake);
            connection.BodyToTake -= Math.Max(taken, 0);
            if (taken < 0 || connection.BodyToTake > 0)
                return taken >= 0;
        }

        return EndRequest(connection);
    }

    private bool EndRequest(LoadConnection connection)
    {
        long now = Nanoseconds();
        _latency.Add(now - connection.Started);
        _operations++;
        _bytes += _plan.Request!.Bytes;
        if (!_plan.KeepsAlive)
        {
            Native.Close(connection.Fd);
            Open(connection);
            return true;
        }

        connection.Started = now;
        return TryBeginRequest(connection) && (connection.BodyToSend == 0 || SendBody(connection));
    }

    /// <summary>False for all but 200 with a length.</summary>
    private static bool TryReadLength(ReadOnlySpan<byte> head, out long length)
    {
        length = 0;
        if (!head.StartsWith("HTTP/1.1 200"u8) && !head.StartsWith("HTTP/1.0 200"u8))
            return false;
        foreach (var line in head.Split((byte)'\n'))
        {
            var field = head[line].TrimEnd((byte)'\r');
            int colon = field.IndexOf((byte)':');
            if (colon > 0 && Ascii.EqualsIgnoreCase(field[..colon], "content-length"u8))
                return long.TryParse(field[(colon + 1)..].Trim((byte)' '), out length);
        }

        return false;
    }

    private void WatchOut(LoadConnection connection, bool wanted)
    {
        if (connection.WatchesOut == wanted)
            return;
        connection.WatchesOut = wanted;
        _epoll.Modify(connection.Fd, wanted ? Native.EpollOut : Native.EpollIn, connection.Index);
    }
}
