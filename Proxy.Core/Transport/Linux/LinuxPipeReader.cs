using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// Pulls from the socket only while a read waits, so what it holds is exactly what was not consumed. One contiguous buffer,
/// borrowed when bytes are there and given back when all are consumed: a silent peer costs none.
/// </summary>
/// <remarks>
/// A peer that sends faster than its bytes are dealt with would never let its reader wait, and many of them make a round of their loop long
/// even if each has one read in it. So those that fill their buffers share <see cref="BytesInATurn"/> in a round, and who comes later goes
/// on behind the others, one in a round. Who takes long over what was read (bodies in chunks of one byte) reads less at a time.
/// </remarks>
internal sealed class LinuxPipeReader(LinuxConnection connection)
    : PipeReader, IValueTaskSource<ReadResult>, ILoopWork, ILoopTurn, IRelaySource
{
    /// <summary>Bytes behind which the loop's other connections have their turn: one large read, or some short ones.</summary>
    internal const int BytesInATurn = 16 * 1024;

    /// <summary>What a read brings is to be dealt with in so many microseconds: others wait for it.</summary>
    private const int LongestStep = 50;

    private const int FirstSize = 4096, LargestSize = 64 * 1024, LeastRoom = 512;

    private ManualResetValueTaskSourceCore<ReadResult> _core;
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private object? _waiter;
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private int _examined;
    private int _size = FirstSize;
    private int _cancelled;
    private uint _round;
    private int _inRound;
    private long _filledAt;
    private volatile bool _waiting;
    private bool _isBehind;
    private bool _hasTurn;
    private bool _ended;
    private bool _completed;

    /// <summary>True while a read waits.</summary>
    public bool IsWaiting => _waiting;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<ReadResult>(cancellationToken);
        if (TryTake(out var result))
            return ValueTask.FromResult(result);
        if (_ended)
            return ValueTask.FromResult(new ReadResult(Buffered, false, true));
        bool onLoop = connection.Loop.IsCurrent;
        if (onLoop && connection.IsReadable && !connection.IsClosed)
        {
            if (MustGoBehind)
                return WaitBehindAsync(cancellationToken);
            int count = Fill();
            if (count >= 0)
                return ValueTask.FromResult(new ReadResult(Buffered, false, _ended));
            if (count != -Errno.TryAgain)
                return ValueTask.FromException<ReadResult>(SocketErrors.ToException(-count));
        }

        return WaitAsync(onLoop, cancellationToken);
    }

    public override bool TryRead(out ReadResult result)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        return TryTake(out result);
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_buffer is null || consumed.GetObject() is null)
            return;
        if (_filledAt != 0)
            Adapt();
        _start = consumed.GetInteger() & int.MaxValue;
        _examined = examined.GetInteger() & int.MaxValue;
        if (_start == _end)
            ReleaseBuffer();
    }

    public override void CancelPendingRead()
    {
        Interlocked.Exchange(ref _cancelled, 1);
        if (_waiting)
            connection.Loop.Post(this);
    }

    public bool TryRelay(
        TransportConnection sink, ArraySegment<byte> first, long bytes, IRelayMeter meter, CancellationToken cancellationToken,
        out ValueTask<RelayResult> relay)
    {
        relay = default;
        if (!connection.Loop.IsCurrent || sink is not LinuxConnection into || into.Loop != connection.Loop || connection.IsClosed
            || into.IsClosed || _completed || _ended || _start < _end || Volatile.Read(ref _cancelled) != 0
            || cancellationToken.IsCancellationRequested)
            return false;

        into.SendWhatIsHeld();
        if (into.IsWriting)
            return false;

        // What is relayed needs no large buffer, and the next message begins with a head.
        _size = FirstSize;
        relay = new LinuxRelay(connection, into, first, bytes, meter).BeginAsync(cancellationToken);
        return true;
    }

    public override void Complete(Exception? exception = null)
    {
        _completed = true;
        ReleaseBuffer();
    }

    /// <summary>On the loop: something changed that a waiting read may end by.</summary>
    public void Run()
    {
        if (!_waiting)
            return;
        if (!connection.Loop.IsCurrent)
        {
            connection.Loop.Post(this);
            return;
        }

        if (Interlocked.Exchange(ref _cancelled, 0) != 0)
        {
            End().SetResult(new ReadResult(Buffered, true, _ended));
            return;
        }

        if (_token.IsCancellationRequested)
        {
            End().SetException(new OperationCanceledException(_token));
            return;
        }

        if (connection.IsClosed)
        {
            End().SetException(SocketErrors.Closed());
            return;
        }

        // More has come, which is read when its turn comes.
        if (_isBehind)
            return;

        if (!connection.IsReadable)
        {
            connection.EnsureWatched();
            return;
        }

        if (!_hasTurn && MustGoBehind)
        {
            GoBehind();
            return;
        }

        int count = Fill();
        if (count >= 0)
            End().SetResult(new ReadResult(Buffered, false, _ended));
        else if (count != -Errno.TryAgain)
            End().SetException(SocketErrors.ToException(-count));
    }

    /// <inheritdoc />
    public void TakeTurn()
    {
        _isBehind = false;
        _hasTurn = true;
        Run();
        _hasTurn = false;
    }

    /// <summary>See <see cref="IEventSink.FetchFurther"/>: the state of the method that waits for the read.</summary>
    public void FetchFurther() => CacheLines.Fetch(_waiter, 5);

    /// <summary>Gives up the buffer and what is in it; the reader is not used afterwards.</summary>
    public ArraySegment<byte> Detach()
    {
        var left = _buffer is null ? default : new ArraySegment<byte>(_buffer, _start, _end - _start);
        _buffer = null;
        return left;
    }

    public void ReleaseBuffer()
    {
        if (_buffer is { } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
        _buffer = null;
        _start = _end = _examined = 0;
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _waiter = state;
        _core.OnCompleted(continuation, state, token, flags);
    }

    private ReadOnlySequence<byte> Buffered => _buffer is null ? default : new ReadOnlySequence<byte>(_buffer, _start, _end - _start);

    private bool TryTake(out ReadResult result)
    {
        bool cancelled = _cancelled != 0 && Interlocked.Exchange(ref _cancelled, 0) != 0;
        if (cancelled || (_end > _start && (_examined < _end || _ended)))
        {
            result = new ReadResult(Buffered, cancelled, _ended);
            return true;
        }

        result = default;
        return false;
    }

    /// <summary>It has had its share of this round, or fills its buffers and others like it have had theirs.</summary>
    private bool MustGoBehind =>
        _round == connection.Loop.Round && _inRound >= BytesInATurn
        || (_size > FirstSize && connection.Loop.BulkInRound >= BytesInATurn);

    private ValueTask<ReadResult> WaitBehindAsync(CancellationToken cancellationToken)
    {
        GoBehind();
        return WaitAsync(onLoop: true, cancellationToken);
    }

    private void GoBehind()
    {
        _isBehind = true;
        connection.Loop.QueueBehind(this);
    }

    private ValueTask<ReadResult> WaitAsync(bool onLoop, CancellationToken cancellationToken)
    {
        _core.RunContinuationsAsynchronously = !onLoop;
        _token = cancellationToken;
        short version = _core.Version;
        _waiting = true;
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static state => ((LinuxPipeReader)state!).Wake(), this);

        // A full fence: a cancellation either sees that a read waits, or is seen here.
        Interlocked.MemoryBarrier();
        if (!onLoop || connection.IsClosed || Volatile.Read(ref _cancelled) != 0)
            connection.Loop.Post(this);
        else
            connection.EnsureWatched();
        return new ValueTask<ReadResult>(this, version);
    }

    private void Wake() => connection.Loop.Post(this);

    /// <summary>The one place where a wait ends; what is set afterwards is its result.</summary>
    private ref ManualResetValueTaskSourceCore<ReadResult> End()
    {
        _waiting = false;
        _waiter = null;
        _isBehind = false;
        _token = default;
        _registration.Unregister();
        _registration = default;
        return ref _core;
    }

    /// <summary>Bytes added, 0 at the end, or minus errno.</summary>
    private int Fill()
    {
        MakeRoom();
        int room = _buffer!.Length - _end;
        int count = connection.TryReceive(_buffer.AsSpan(_end));
        if (count > 0)
        {
            Count(count);
            _end += count;
            if (count == room)
            {
                _filledAt = Stopwatch.GetTimestamp();
                if (_size == FirstSize)
                    _size *= 2;
            }
            else if (count < FirstSize)
            {
                _size = FirstSize;
            }

            return count;
        }

        if (count == 0)
            _ended = true;
        if (_start == _end)
            ReleaseBuffer();
        return count;
    }

    private void Count(int bytes)
    {
        uint round = connection.Loop.Round;
        _inRound = _round == round ? _inRound + bytes : bytes;
        _round = round;
        if (_size > FirstSize)
            connection.Loop.BulkInRound += bytes;
    }

    /// <summary>
    /// What filled the buffer has been dealt with: quickly, and more may come at a time, or slowly. What waited for something else in
    /// between says nothing.
    /// </summary>
    private void Adapt()
    {
        long taken = Stopwatch.GetTimestamp() - _filledAt;
        _filledAt = 0;
        if (_round != connection.Loop.Round || !connection.Loop.IsCurrent)
            return;
        if (taken > LongestStep * (Stopwatch.Frequency / 1_000_000))
            _size = Math.Max(2 * FirstSize, _size / 2);
        else if (taken < LongestStep / 3 * (Stopwatch.Frequency / 1_000_000))
            _size = Math.Min(LargestSize, _size * 2);
    }

    private void MakeRoom()
    {
        if (_buffer is null)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(_size);
            return;
        }

        if (_buffer.Length - _end >= LeastRoom)
            return;
        int held = _end - _start;
        byte[] larger = held + LeastRoom <= _buffer.Length / 2 ? _buffer : ArrayPool<byte>.Shared.Rent(Math.Max(_size, _buffer.Length * 2));
        _buffer.AsSpan(_start, held).CopyTo(larger);
        if (larger != _buffer)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
        _examined -= _start;
        _start = 0;
        _end = held;
    }
}
