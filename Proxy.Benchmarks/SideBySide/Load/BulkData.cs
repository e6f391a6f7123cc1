using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>
/// Sends and takes bulk data at the least cost to the measuring core. Sending copies once, as a real worker does; or, to see how
/// far the measuring side can go, it gives the kernel pages of a memory file. Taking throws the data away in the kernel (MSG_TRUNC).
/// </summary>
internal sealed unsafe class BulkData : IDisposable
{
    private const int FileLength = 1 << 20;

    private readonly byte* _buffer;
    private readonly int _chunk;
    private readonly int _file = -1;

    /// <param name="chunk">Bytes of one system call.</param>
    /// <param name="sendFile">Without a copy.</param>
    public BulkData(int chunk, bool sendFile)
    {
        _chunk = chunk;
        _buffer = (byte*)NativeMemory.Alloc(FileLength);
        for (int i = 0; i < FileLength; i++)
            _buffer[i] = (byte)(i * 31);
        if (!sendFile)
            return;
        _file = Native.MemoryFile("bulk", 0);
        if (Native.Write(_file, _buffer, FileLength) != FileLength)
            throw new IOException("no memory file could be made");
    }

    /// <summary>Bytes that the kernel took, no more than so many; 0: none now; -1: the connection is over.</summary>
    public long Send(int fd, long most = long.MaxValue)
    {
        nint length = (nint)Math.Min(most, _chunk), sent;
        if (_file >= 0)
        {
            long offset = 0;
            sent = Native.SendFile(fd, _file, &offset, length);
        }
        else
        {
            sent = Native.Send(fd, _buffer, length, Native.MsgDontWait | Native.MsgNoSignal);
        }

        return sent >= 0 ? sent : Marshal.GetLastSystemError() == Native.Again ? 0 : -1;
    }

    /// <summary>Bytes that were thrown away, no more than so many; 0: none there now; -1: the connection is over.</summary>
    public long Take(int fd, long most = long.MaxValue)
    {
        nint taken = Native.Receive(fd, _buffer, (nint)Math.Min(most, _chunk), Native.MsgDontWait | Native.MsgTrunc);
        return taken > 0 ? taken : taken < 0 && Marshal.GetLastSystemError() == Native.Again ? 0 : -1;
    }

    public void Dispose()
    {
        NativeMemory.Free(_buffer);
        if (_file >= 0)
            Native.Close(_file);
    }
}
