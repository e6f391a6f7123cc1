using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>Keeps so many connections: whoever is cut comes again at once.</summary>
internal abstract unsafe class Crowd(BotTarget target, int size) : Bot
{
    private const int MostOpenedInATurn = 256, BufferSize = 64 * 1024;

    private readonly Epoll _epoll = new();
    private readonly byte* _buffer = (byte*)NativeMemory.Alloc(BufferSize);
    private readonly HashSet<int> _all = [];
    private double _tickAt;

    /// <summary>Seconds between two calls of <see cref="Tick"/> for each connection; 0: none.</summary>
    protected virtual double TickInterval => 0;

    /// <summary>Whether a connection wants to write whenever it can.</summary>
    protected virtual bool WantsToWrite => false;

    public override void Turn()
    {
        for (int i = 0; i < MostOpenedInATurn && _all.Count < size; i++)
            Open();
        int ready = _epoll.Wait(_all.Count < size ? 1 : 10);
        for (int i = 0; i < ready; i++)
        {
            int fd = _epoll.IdOf(i);
            if (!Serve(fd, _epoll.EventsOf(i)))
                Close(fd);
        }

        Held = _all.Count;
        if (TickInterval == 0 || ProcessFacts.Now() < _tickAt)
            return;
        _tickAt = ProcessFacts.Now() + TickInterval;
        foreach (int fd in _all.ToArray())
        {
            if (!Tick(fd))
                Close(fd);
        }
    }

    /// <summary>A new connection. False: it is over.</summary>
    protected virtual bool Begin(int fd) => true;

    /// <summary>It can be written to. False: it is over.</summary>
    protected virtual bool Write(int fd) => true;

    /// <inheritdoc cref="TickInterval"/>
    /// <returns>False: it is over.</returns>
    protected virtual bool Tick(int fd) => true;

    /// <summary>Something, or the end, has come. False: it is over.</summary>
    protected virtual bool Read(int fd)
    {
        nint received = Native.Receive(fd, _buffer, BufferSize, Native.MsgDontWait);
        return received > 0 || (received < 0 && Marshal.GetLastSystemError() == Native.Again);
    }

    /// <summary>Is told of nothing any more but that it broke.</summary>
    protected void Ignore(int fd) => _epoll.Modify(fd, 0, fd);

    /// <summary>How much the kernel took; negative when the connection is broken.</summary>
    protected static int Send(int fd, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
        {
            nint sent = Native.Send(fd, start, data.Length, Native.MsgDontWait | Native.MsgNoSignal);
            return sent >= 0 ? (int)sent : Marshal.GetLastSystemError() == Native.Again ? 0 : -1;
        }
    }

    private void Open()
    {
        int fd = target.Connect();
        if (fd < 0)
            return;
        Done++;
        _all.Add(fd);
        _epoll.Add(fd, Native.EpollIn | (WantsToWrite ? Native.EpollOut : 0), fd);
        if (!Begin(fd))
            Close(fd);
    }

    private bool Serve(int fd, uint events)
    {
        if (!_all.Contains(fd))
            return true;
        if ((events & (Native.EpollError | Native.EpollHangUp)) != 0 || ((events & Native.EpollIn) != 0 && !Read(fd)))
            return false;
        return (events & Native.EpollOut) == 0 || Write(fd);
    }

    private void Close(int fd)
    {
        if (_all.Remove(fd))
            Native.Close(fd);
    }
}
