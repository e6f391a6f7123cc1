namespace TorBalancer.Transport.Linux;

/// <summary>The two ends of a pipe that bytes are spliced through.</summary>
internal sealed class SplicePipe(int readEnd, int writeEnd)
{
    public int ReadEnd => readEnd;

    public int WriteEnd => writeEnd;

    /// <summary>Bytes that are in it.</summary>
    public int Filled { get; set; }

    public void Close()
    {
        Libc.Close(readEnd);
        Libc.Close(writeEnd);
    }
}

/// <summary>
/// Pipes of one loop, lent while data is in flight. A pipe takes two descriptors: there are no more than
/// <see cref="Limit"/>, and under descriptor pressure there may be none. Whoever gets none copies.
/// </summary>
internal sealed unsafe class PipePool
{
    /// <summary>More than this never pays: bulk streams that have just sent leave their pipe to the next.</summary>
    private const int Limit = 256;

    private const int Kept = 32;

    // Larger than a receive window's usual burst on one machine; the kernel allows an unprivileged user 64 MiB in all.
    private const int Size = 256 * 1024;

    // What is left of a pipe when the user's share of pipe memory is used up is not worth the system calls.
    private const int LeastSize = 64 * 1024;

    private readonly Stack<SplicePipe> _idle = new();
    private int _lent;

    /// <summary>An empty pipe, or null.</summary>
    public SplicePipe? Rent()
    {
        if (_lent >= Limit)
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
        if (pipe.Filled == 0 && _idle.Count < Kept)
            _idle.Push(pipe);
        else
            pipe.Close();
    }

    /// <summary>Gives the descriptors of idle pipes back; true when there were any.</summary>
    public bool Trim()
    {
        bool any = _idle.Count > 0;
        while (_idle.Count > 0)
            _idle.Pop().Close();
        return any;
    }

    private static SplicePipe? Create()
    {
        int* ends = stackalloc int[2];
        if (Libc.Pipe(ends, Libc.OpenNonBlock | Libc.OpenCloExec) < 0)
            return null;
        var pipe = new SplicePipe(ends[0], ends[1]);
        if (Libc.FileControl(pipe.WriteEnd, Libc.SetPipeSize, Size) >= 0 || Libc.FileControl(pipe.WriteEnd, Libc.GetPipeSize, 0) >= LeastSize)
            return pipe;
        pipe.Close();
        return null;
    }
}
