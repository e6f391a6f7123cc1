using TorBalancer.Transport.Linux;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>One socket of a pair, and what its edges said last.</summary>
internal sealed class EpollSocket
{
    public int Fd { get; set; }

    public bool Readable { get; set; }

    public bool Writable { get; set; }

    /// <summary>Its peer has ended: no edge will tell of the end again, so a short read is not the last.</summary>
    public bool HangUp { get; set; }

    public void Reset(int fd)
    {
        Fd = fd;
        Readable = Writable = HangUp = false;
    }
}

/// <summary>What is under way from one socket to the other.</summary>
internal sealed class EpollDirection(EpollSocket source, EpollSocket sink)
{
    public EpollSocket Source => source;

    public EpollSocket Sink => sink;

    /// <summary>Read and not yet written.</summary>
    public byte[] Left { get; } = new byte[EpollRelay.ScratchSize];

    public int LeftStart { get; set; }

    public int LeftEnd { get; set; }

    public SplicePipe? Pipe { get; set; }

    /// <summary>Something was read that is not written yet.</summary>
    public bool HasLeft => LeftStart < LeftEnd || Pipe is { Filled: > 0 };

    public bool Splices { get; set; }

    public int SmallSplices { get; set; }

    /// <summary>The source has ended.</summary>
    public bool Ended { get; set; }

    /// <summary>The sink was told.</summary>
    public bool Done { get; set; }

    public void Reset()
    {
        LeftStart = LeftEnd = SmallSplices = 0;
        Splices = Ended = Done = false;
    }
}

/// <summary>Two sockets. Its place in the table is its number in the epoll set.</summary>
internal sealed class EpollPair
{
    public EpollPair(int index)
    {
        Index = index;
        Up = new EpollDirection(Client, Worker);
        Down = new EpollDirection(Worker, Client);
    }

    public int Index { get; }

    public EpollSocket Client { get; } = new();

    public EpollSocket Worker { get; } = new();

    public EpollDirection Up { get; }

    public EpollDirection Down { get; }

    public bool Open { get; set; }

    /// <summary>In the queue of those that stopped only to let others have their turn.</summary>
    public bool Queued { get; set; }

    public void Begin(int client, int worker)
    {
        Client.Reset(client);
        Worker.Reset(worker);
        Up.Reset();
        Down.Reset();
        Open = true;
    }
}
