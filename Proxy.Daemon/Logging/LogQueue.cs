using System.Collections.Concurrent;
using NLog;
using NLog.Common;
using NLog.Targets;
using NLog.Targets.Wrappers;

namespace TorBalancer.Daemon.Logging;

/// <summary>
/// Lines wait in a queue and are written by a thread of their own, several at a time: a terminal or a journal that does not
/// read must never hold up traffic. Beyond <see cref="Limit"/> lines are dropped, which is better than a client that waits;
/// how many is told when there is room again.
/// NLog's AsyncTargetWrapper is not used: it runs on a timer and the thread pool, a hundred times a second also when there is
/// nothing to write, and each time the pool's thread spins for a while in the hope of more work.
/// </summary>
internal sealed class LogQueue : WrapperTargetBase
{
    /// <summary>Lines that wait at most; about 20 MB.</summary>
    internal const int Limit = 50_000;

    /// <summary>How long the first line of a batch waits for others. Nobody who reads along will notice.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(2);

    private const int BatchSize = 1000;

    /// <summary>Stands in the queue for "write out what is before me".</summary>
    private static readonly LogEventInfo FlushMark = LogEventInfo.CreateNullEvent();

    private readonly ConcurrentQueue<AsyncLogEventInfo> _lines = new();
    private readonly List<AsyncLogEventInfo> _batch = new(BatchSize);
    private readonly AutoResetEvent _wake = new(false);
    private readonly AutoResetEvent _hurry = new(false);
    private Thread? _writer;
    private int _waiting;
    private int _dropped;
    private int _awake;
    private volatile bool _stopping;

    public LogQueue(Target target)
    {
        Name = target.Name + "-queue";
        WrappedTarget = target;
    }

    protected override void InitializeTarget()
    {
        base.InitializeTarget();
        _stopping = false;
        _writer = new Thread(Run) { Name = "log", IsBackground = true };
        _writer.Start();
    }

    protected override void CloseTarget()
    {
        _stopping = true;
        _hurry.Set();
        _wake.Set();

        // A target that hangs is left alone, and to the end of the process.
        if (_writer?.Join(CloseLimit) == false)
            return;
        _writer = null;
        base.CloseTarget();
    }

    protected override void FlushAsync(AsyncContinuation asyncContinuation)
    {
        _lines.Enqueue(new AsyncLogEventInfo(FlushMark, asyncContinuation));
        _hurry.Set();
        Wake();
    }

    /// <summary>Called by whoever logs, by several at once, without NLog's lock.</summary>
    protected override void WriteAsyncThreadSafe(AsyncLogEventInfo logEvent)
    {
        if (Interlocked.Increment(ref _waiting) > Limit)
        {
            Interlocked.Decrement(ref _waiting);
            Interlocked.Increment(ref _dropped);
            logEvent.Continuation(null);
            return;
        }

        try
        {
            PrecalculateVolatileLayouts(logEvent.LogEvent);
        }
        catch
        {
            Interlocked.Decrement(ref _waiting);
            throw;
        }

        _lines.Enqueue(logEvent);
        Wake();
    }

    protected override void WriteAsyncThreadSafe(IList<AsyncLogEventInfo> logEvents)
    {
        foreach (var logEvent in logEvents)
            WriteAsyncThreadSafe(logEvent);
    }

    protected override void Write(AsyncLogEventInfo logEvent) => WriteAsyncThreadSafe(logEvent);

    private void Wake()
    {
        if (Interlocked.Exchange(ref _awake, 1) == 0)
            _wake.Set();
    }

    private void Run()
    {
        bool stopping;
        do
        {
            _wake.WaitOne();
            if (!_stopping)
                _hurry.WaitOne(Gather);
            stopping = _stopping;

            // Before the queue is looked at: whoever adds a line after that look wakes this thread again.
            Interlocked.Exchange(ref _awake, 0);
            try
            {
                WriteWaiting();
            }
            catch (Exception failure)
            {
                // NLog catches what targets throw. Should anything get through, the next lines still have their writer.
                InternalLogger.Error(failure, "{0}: lines could not be written", this);
            }
        }
        while (!stopping);
    }

    private void WriteWaiting()
    {
        while (_lines.TryDequeue(out var line))
        {
            bool isMark = ReferenceEquals(line.LogEvent, FlushMark);
            if (!isMark)
                _batch.Add(line);
            if (isMark || _batch.Count == BatchSize)
                WriteBatch();
            if (isMark)
                FlushTarget(line.Continuation);
        }

        WriteBatch();
    }

    private void FlushTarget(AsyncContinuation continuation)
    {
        if (WrappedTarget is { } target)
            target.Flush(continuation);
        else
            continuation(null);
    }

    private void WriteBatch()
    {
        if (_batch.Count > 0)
        {
            int count = _batch.Count;
            try
            {
                WrappedTarget?.WriteAsyncLogEvents(_batch);
            }
            finally
            {
                Interlocked.Add(ref _waiting, -count);
                _batch.Clear();
            }
        }

        int dropped = Interlocked.Exchange(ref _dropped, 0);
        if (dropped > 0)
        {
            var told = new LogEventInfo(
                LogLevel.Warn, nameof(LogQueue), null, "{Count} log lines were dropped: they came faster than they could be written",
                [dropped]);
            WrappedTarget?.WriteAsyncLogEvents(new AsyncLogEventInfo(told, static _ => { }));
        }
    }
}
