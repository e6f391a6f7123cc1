using System.Runtime.InteropServices;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Logging;

/// <summary>
/// A log file that others may move, truncate and remove while it is written to, as logrotate(8) does. It is open for append, so
/// that what is written after a truncation begins at the new end and not behind a hole; and its name is followed: when another file
/// has it, or none, that one is written to from then on. Used by one thread at a time.
/// </summary>
internal sealed unsafe class LogFile(string path) : IDisposable
{
    // What the umask makes of it is what it is.
    private const uint Mode = 0x1B6;

    /// <summary>
    /// How long a name that is gone may stay so before it is made anew. logrotate's <c>create</c> makes the new file a moment after it
    /// has renamed the old one, and would move ours out of its way if it found it there.
    /// </summary>
    private static readonly TimeSpan NamelessBound = TimeSpan.FromMilliseconds(250), NamelessStep = TimeSpan.FromMilliseconds(10);

    private readonly ManualResetEventSlim _hurry = new();
    private int _fd = -1;
    private FileStatus _open;
    private bool _torn;
    private string? _openProblem, _writeProblem;

    public string Path => path;

    /// <summary>
    /// Why the file under this name cannot be written to; null when it can. While there is an older file, that one is written to.
    /// </summary>
    public string? Problem => _openProblem ?? _writeProblem;

    /// <summary>True when the process is about to end.</summary>
    public bool IsHurried => _hurry.IsSet;

    /// <summary>Sees to it that what is open is what has the name.</summary>
    public void Follow()
    {
        if (_fd >= 0 && FileCalls.StatusOf(path, followLinks: true) is { } named && named.IsSameFile(_open))
        {
            _openProblem = null;
            return;
        }

        if (_fd >= 0)
            AwaitName();
        Reopen();
    }

    /// <summary>
    /// Writes at the end, whole lines, and returns how many bytes of them arrived. Fewer than all: the disk is full, say, and
    /// <see cref="Problem"/> tells; a line that was cut short is ended before the next one begins.
    /// </summary>
    public int Append(ReadOnlySpan<byte> lines)
    {
        Follow();
        if (_fd < 0)
            return 0;
        if (_torn && WriteAll("\n"u8) == 1)
            _torn = false;
        int written = _torn ? 0 : WriteAll(lines);
        if (written > 0)
            _torn = lines[written - 1] != '\n';
        return written;
    }

    /// <summary>No more waiting for others; called from any thread when the process is about to end.</summary>
    public void Hurry() => _hurry.Set();

    public void Dispose()
    {
        if (_fd >= 0)
            FileCalls.Close(_fd);
        _fd = -1;
    }

    private void AwaitName()
    {
        for (
            var waited = TimeSpan.Zero; waited < NamelessBound
                && FileCalls.StatusOf(path, followLinks: true) is null; waited += NamelessStep)
        {
            if (_hurry.Wait(NamelessStep))
                return;
        }
    }

    private void Reopen()
    {
        try
        {
            int fd = OpenForAppend();
            if (fd < 0 && Marshal.GetLastPInvokeError() == Errno.NoEntry)
            {
                SharedFolders.Check(path);
                Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
                fd = OpenForAppend();
            }

            if (fd < 0 || FileCalls.StatusOf(fd) is not { } status)
                throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
            Dispose();
            (_fd, _open, _torn, _openProblem) = (fd, status, false, null);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // A file that lost its name still takes lines, and whoever moved it has them.
            _openProblem = failure.Message;
        }
    }

    /// <summary>Without waiting: a pipe that nobody reads is a file that cannot be opened. On ordinary files that has no effect.</summary>
    private int OpenForAppend() => SharedFile.Open(
        path,
        FileCalls.WriteOnly | FileCalls.Create | FileCalls.Append | FileCalls.CloseOnExec | FileCalls.NoControllingTerminal
            | FileCalls.NonBlock,
        Mode);

    private int WriteAll(ReadOnlySpan<byte> bytes)
    {
        int done = 0;
        fixed (byte* start = bytes)
        {
            while (done < bytes.Length)
            {
                nint written = FileCalls.Write(_fd, start + done, (nuint)(bytes.Length - done));
                if (written > 0)
                {
                    done += (int)written;
                    _writeProblem = null;
                    continue;
                }

                int error = Marshal.GetLastPInvokeError();
                if (written < 0 && error == Errno.Interrupted)
                    continue;
                _writeProblem = Marshal.GetPInvokeErrorMessage(error);
                break;
            }
        }

        return done;
    }
}
