namespace TorBalancer.Transport.Linux;

/// <summary>The two ends of a pipe that bytes are spliced through.</summary>
internal sealed class SplicePipe(int readEnd, int writeEnd, int capacity)
{
    public int ReadEnd => readEnd;

    public int WriteEnd => writeEnd;

    /// <summary>Bytes that are in it.</summary>
    public int Filled { get; set; }

    /// <summary>Its size in bytes: as many pages, each of which may hold less, and a large page of the network's more.</summary>
    public int Capacity { get; set; } = capacity;

    /// <summary>Made larger by the pool, and counted there.</summary>
    public bool IsLarge { get; set; }

    public void Close()
    {
        Libc.Close(readEnd);
        Libc.Close(writeEnd);
    }
}

/// <summary>
/// Pipes of one loop, lent while data is in flight. A pipe takes two descriptors: there are no more than
/// the limit, and under descriptor pressure there may be none. Whoever gets none copies.
/// </summary>
internal sealed unsafe class PipePool(int limit, int mostLarge, DescriptorBudget? descriptors = null) : ILoopWork
{
    /// <summary>More than this never pays: bulk streams that have just sent leave their pipe to the next.</summary>
    public const int UsualLimit = 256;

    private const int Kept = 32;

    // Larger than a receive window's usual burst on one machine; the kernel allows an unprivileged user 64 MiB in all.
    private const int Size = 256 * 1024;

    // A stream that fills a pipe in one go gets a larger one: what the system allows by default (pipe-max-size, pipe(7)).
    private const int LargeSize = 1024 * 1024;

    /// <summary>For all loops together: a quarter of the 64 MiB that an unprivileged user has for all pipes.</summary>
    public const int MostLarge = 16;

    // What is left of a pipe when the user's share of pipe memory is used up is not worth the system calls.
    private const int LeastSize = 64 * 1024;

    private const int DescriptorsOfAPipe = 2;

    private readonly Stack<SplicePipe> _idle = new();
    private int _lent;
    private int _large;

    /// <summary>What the loop's connections and these pipes take their descriptors from.</summary>
    public DescriptorBudget Descriptors { get; } = descriptors ?? DescriptorBudget.Unlimited();

    /// <summary>Descriptors that are open; other threads read it to count.</summary>
    public int Open => DescriptorsOfAPipe * (Volatile.Read(ref _lent) + _idle.Count);

    /// <summary>An empty pipe, or null.</summary>
    public SplicePipe? Rent()
    {
        if (_lent >= limit)
            return null;
        var pipe = _idle.Count > 0 ? _idle.Pop() : Create();
        if (pipe is not null)
            _lent++;
        return pipe;
    }

    /// <summary>Takes a pipe back. One that still holds bytes is closed: they must never reach another connection.</summary>
    public void Return(SplicePipe pipe)
    {
        _lent--;
        if (pipe.Filled == 0 && _idle.Count < Kept && !Descriptors.IsWaitedFor)
            _idle.Push(pipe);
        else
            Close(pipe);
    }

    /// <summary>Makes a pipe larger that was filled in one go; where the system does not allow it, it is not asked again.</summary>
    public void Enlarge(SplicePipe pipe)
    {
        if (pipe.IsLarge || _large >= mostLarge)
            return;
        if (Libc.FileControl(pipe.WriteEnd, Libc.SetPipeSize, LargeSize) < 0)
        {
            mostLarge = 0;
            return;
        }

        pipe.Capacity = LargeSize;
        pipe.IsLarge = true;
        _large++;
    }

    /// <summary>Gives the descriptors of idle pipes back; true when there were any.</summary>
    public bool Trim()
    {
        bool any = _idle.Count > 0;
        while (_idle.Count > 0)
            Close(_idle.Pop());
        return any;
    }

    /// <summary>Clients wait for descriptors.</summary>
    void ILoopWork.Run() => Trim();

    private void Close(SplicePipe pipe)
    {
        if (pipe.IsLarge)
            _large--;
        pipe.Close();
        Descriptors.Return(DescriptorsOfAPipe);
    }

    private SplicePipe? Create()
    {
        if (!Descriptors.TryTakeSpare(DescriptorsOfAPipe))
            return null;
        var pipe = MakePipe();
        if (pipe is null)
            Descriptors.Return(DescriptorsOfAPipe);
        return pipe;
    }

    private SplicePipe? MakePipe()
    {
        int* ends = stackalloc int[2];
        if (Libc.Pipe(ends, Libc.OpenNonBlock | Libc.OpenCloExec) < 0)
            return null;
        int size = Libc.FileControl(ends[1], Libc.SetPipeSize, Size);
        if (size < 0)
            size = Libc.FileControl(ends[1], Libc.GetPipeSize, 0);
        var pipe = new SplicePipe(ends[0], ends[1], size);
        if (size >= LeastSize && Descriptors.MayTrafficHave(Math.Max(ends[0], ends[1])))
            return pipe;
        pipe.Close();
        return null;
    }
}
