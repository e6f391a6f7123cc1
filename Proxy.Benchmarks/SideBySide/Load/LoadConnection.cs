namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>One client. Its place in the table is its number in the epoll set.</summary>
internal sealed class LoadConnection(int index)
{
    private const int ReplyCapacity = 1024;

    public int Index { get; } = index;

    public int Fd { get; set; } = -1;

    /// <summary>The message of the handshake whose answer is awaited; the script's length when it is over.</summary>
    public int Step { get; set; }

    /// <summary>Whether the step's message has been sent.</summary>
    public bool Sent { get; set; }

    public int Received { get; set; }

    /// <summary>Bytes of a request's body that have yet to be sent.</summary>
    public long BodyToSend { get; set; }

    /// <summary>Bytes of the answer's body that have yet to come; negative while its head is read.</summary>
    public long BodyToTake { get; set; }

    /// <summary>Registered for room to write, not for bytes to read.</summary>
    public bool WatchesOut { get; set; }

    /// <summary>When the measured operation began, in nanoseconds.</summary>
    public long Started { get; set; }

    public byte[] Reply { get; } = new byte[ReplyCapacity];

    public void Begin(int fd, long now)
    {
        Fd = fd;
        Step = 0;
        Sent = false;
        Received = 0;
        Started = now;
    }
}
