using System.Text;
using NLog;
using NLog.Common;
using NLog.Targets;

namespace TorBalancer.Daemon.Logging;

/// <summary>
/// Writes lines to a <see cref="LogFile"/>, those of a batch in one system call. When they cannot be written they are counted and
/// dropped: neither traffic nor the other log waits for a disk. That it is so is said once on standard output, and how many are
/// missing in the file itself, as soon as it can be written to again.
/// </summary>
internal sealed class LogFileTarget : TargetWithLayout
{
    // A stack trace or two; what a burst needs beyond is not kept.
    private const int KeptCapacity = 256 * 1024;

    private readonly LogFile _file;
    private readonly StringBuilder _text = new();
    private readonly List<int> _ends = [];
    private readonly Encoder _encoder = Encoding.UTF8.GetEncoder();
    private byte[] _bytes = new byte[4096];
    private int _length;
    private int _lost;
    private string? _told;

    public LogFileTarget(string name, string path)
    {
        Name = name;
        _file = new LogFile(path);
    }

    /// <summary>As of the file, on the thread that writes.</summary>
    public string? Problem => _file.Problem;

    /// <summary>Called when the process is about to end, from any thread: see <see cref="LogFile.Hurry"/>.</summary>
    public void Hurry() => _file.Hurry();

    protected override void Write(IList<AsyncLogEventInfo> logEvents)
    {
        try
        {
            if (_lost > 0)
                Add(
                    new LogEventInfo(
                        LogLevel.Warn, nameof(LogFileTarget), null, "{Count} log lines are missing here: this file could not be written",
                        [_lost]));
            int told = _ends.Count;
            foreach (var line in logEvents)
                Add(line.LogEvent);
            int written = _file.Append(_bytes.AsSpan(0, _length));
            if (told > 0 && _ends[0] <= written)
                _lost = 0;
            for (int i = told; i < _ends.Count; i++)
                _lost += _ends[i] > written ? 1 : 0;
        }
        finally
        {
            Clear();
        }

        Tell();
        foreach (var line in logEvents)
            line.Continuation(null);
    }

    protected override void Write(AsyncLogEventInfo logEvent) => Write([logEvent]);

    /// <summary>Asked for by SIGHUP too: a file that was moved away is let go without a line having to come.</summary>
    protected override void FlushAsync(AsyncContinuation asyncContinuation)
    {
        _file.Follow();
        Tell();
        asyncContinuation(null);
    }

    protected override void CloseTarget()
    {
        _file.Dispose();
        base.CloseTarget();
    }

    private void Add(LogEventInfo line)
    {
        Layout.Render(line, _text);
        _text.Append('\n');
        foreach (var chunk in _text.GetChunks())
        {
            int most = _length + Encoding.UTF8.GetMaxByteCount(chunk.Length + 1);
            if (most > _bytes.Length)
                Array.Resize(ref _bytes, Math.Max(most, _bytes.Length * 2));

            // A pair of surrogates may be in two chunks.
            _length += _encoder.GetBytes(chunk.Span, _bytes.AsSpan(_length), flush: false);
        }

        _text.Clear();
        _ends.Add(_length);
    }

    private void Clear()
    {
        _text.Clear();
        _ends.Clear();
        _length = 0;
        if (_bytes.Length > KeptCapacity)
            _bytes = new byte[4096];
    }

    /// <summary>Into both logs, by the same way as any line; this one reaches standard output at least.</summary>
    private void Tell()
    {
        // Whoever ends the process may hold the lock that a logger is looked up under, and waits for this thread.
        string? problem = _file.Problem;
        if (problem == _told || _file.IsHurried)
            return;
        var logger = LoggingConfiguration?.LogFactory.GetLogger(nameof(LogFileTarget));
        if (problem is null)
            logger?.Info("[Log] File {File} can be written again", _file.Path);
        else if (_told is null)
            logger?.Warn(
                "[Log] File {File} cannot be written: {Problem}. Standard output has every line; this is tried again with each", _file.Path,
                problem);
        _told = problem;
    }
}
