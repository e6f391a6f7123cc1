using TorBalancer.Transport.Linux;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>How bulk data is moved.</summary>
internal enum UringBulk
{
    /// <summary>One receive and one send by turns, of a large buffer.</summary>
    Copy,

    /// <summary>IORING_OP_SPLICE, which the kernel hands to its worker threads.</summary>
    Splice,

    /// <summary>The ring tells when a socket is ready; splice(2) is called as with epoll.</summary>
    Call,
}

/// <summary>What a completion is of. With the pair's number and the direction it is the operation's user data.</summary>
internal enum UringKind : byte
{
    /// <summary>Nobody waits for it.</summary>
    None,
    Accept,
    Connect,

    /// <summary>A receive that goes on until it is cancelled, into buffers of the ring.</summary>
    Receive,
    BulkReceive,
    Send,

    /// <summary>The source can be read.</summary>
    SourceReady,

    /// <summary>The sink can be written.</summary>
    SinkReady,
    SpliceIn,
    SpliceOut,
    Shutdown,
}

/// <summary>Bytes that wait to be sent: those of a buffer of the ring, or of the bulk buffer.</summary>
internal readonly record struct UringPiece(ushort Buffer, int Length, bool OfBulk);

/// <summary>What is under way from one socket to the other.</summary>
internal sealed unsafe class UringDirection(UringPair pair, bool up)
{
    public UringPair Pair => pair;

    public int Source => up ? pair.Client : pair.Worker;

    public int Sink => up ? pair.Worker : pair.Client;

    public UringDirection Other => up ? pair.Down : pair.Up;

    public ulong UserData(UringKind kind) => ((ulong)pair.Index << 8) | ((ulong)kind << 1) | (up ? 0u : 1u);

    public Queue<UringPiece> Waiting { get; } = new();

    /// <summary>What is being sent.</summary>
    public UringPiece Current { get; set; }

    public int Sent { get; set; }

    /// <summary>A send or a splice is under way, or the sink is waited for.</summary>
    public bool Busy { get; set; }

    /// <summary><see cref="Current"/> holds a buffer.</summary>
    public bool Holds { get; set; }

    /// <summary>A receive is under way, or the source is waited for.</summary>
    public bool Receiving { get; set; }

    public bool Bulk { get; set; }

    public int SmallReads { get; set; }

    /// <summary>The large buffer, while there is bulk data; null otherwise.</summary>
    public byte* BulkBuffer { get; set; }

    public SplicePipe? Pipe { get; set; }

    /// <summary>The source has ended.</summary>
    public bool Ended { get; set; }

    /// <summary>The sink was told.</summary>
    public bool Done { get; set; }

    public void Reset() => Busy = Holds = Receiving = Bulk = Ended = Done = false;
}

/// <summary>Two sockets. Its number is the client's descriptor, so the kernel has given it out and takes it back.</summary>
internal sealed class UringPair
{
    public UringPair(int index)
    {
        Index = index;
        Up = new UringDirection(this, up: true);
        Down = new UringDirection(this, up: false);
    }

    public int Index { get; }

    public int Client => Index;

    public int Worker { get; private set; }

    public UringDirection Up { get; }

    public UringDirection Down { get; }

    /// <summary>Operations of which another completion will come. It is closed only when there is none.</summary>
    public int UnderWay { get; set; }

    /// <summary>Broken or finished: nothing more is begun.</summary>
    public bool Over { get; set; }

    /// <summary>Its sockets do not block any more, which splice(2) needs.</summary>
    public bool NonBlocking { get; set; }

    public void Begin(int worker)
    {
        Worker = worker;
        UnderWay = 0;
        Over = NonBlocking = false;
        Up.Reset();
        Down.Reset();
    }
}
