using System.Buffers;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// Moves so many bytes from one connection to another, as one direction of a tunnel does: large amounts are spliced through a borrowed
/// pipe, small ones and those for which no pipe can be had are copied through the loop's scratch. What was read has been written
/// before the next read. On the loop of both connections only.
/// </summary>
/// <param name="source">What it takes from.</param>
/// <param name="sink">What it gives to.</param>
/// <param name="first">What the sink gets first; a borrowed array, or default.</param>
/// <param name="bytes">How many are taken.</param>
/// <param name="meter">Told of them.</param>
internal sealed unsafe class LinuxRelay(
    LinuxConnection source, LinuxConnection sink, ArraySegment<byte> first, long bytes, IRelayMeter meter)
    : IValueTaskSource<RelayResult>, ILoopWork, IPacedFlow
{
    private readonly EventLoop _loop = source.Loop;
    private PacedFlow? _flow;
    private ManualResetValueTaskSourceCore<RelayResult> _core;
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private SplicePipe? _pipe;
    private byte[]? _left = first.Array;
    private int _leftStart = first.Offset, _leftEnd = first.Offset + first.Count;
    private bool _over;
    private Turn? _turn;

    /// <summary>What the sink refused, minus errno; 0 while it has not. The kernel tells of a reset once.</summary>
    private int _refused;

    /// <summary>Bytes that have yet to be read.</summary>
    private long _missing = bytes;

    /// <summary>What a read has come to that was made before what goes first was given; null: none was.</summary>
    private int? _ahead;

    void IPacedFlow.Resume() => Run();

    public ValueTask<RelayResult> BeginAsync(CancellationToken cancellationToken)
    {
        if (meter.Pace is { } pace)
        {
            // What goes first leaves at once, and what follows waits for it.
            pace.Reserve(first.Count, out _);
            _flow = new PacedFlow(pace, _loop, this);
        }

        if (Pump() is { } result)
        {
            Release();
            return ValueTask.FromResult(result);
        }

        source.Hooks.Taker = this;
        sink.Hooks.Giver = this;
        source.EnsureWatched();
        sink.EnsureWatched();
        _token = cancellationToken;
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static state => ((LinuxRelay)state!).Wake(), this);
        return new ValueTask<RelayResult>(this, _core.Version);
    }

    public void Run()
    {
        if (_over)
            return;
        if (_token.IsCancellationRequested)
        {
            End();
            _core.SetException(new OperationCanceledException(_token));
            return;
        }

        RelayResult? result;
        try
        {
            result = source.IsClosed ? new RelayResult(RelayEnd.SourceBroken, SocketError.OperationAborted)
                : sink.IsClosed ? new RelayResult(RelayEnd.SinkBroken, SocketError.OperationAborted)
                : Pump();
        }
        catch (Exception failure)
        {
            // A failure of ours: nobody else would ever end the wait.
            End();
            _core.SetException(failure);
            return;
        }

        if (result is not { } known)
            return;
        End();
        _core.SetResult(known);
    }

    RelayResult IValueTaskSource<RelayResult>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<RelayResult>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<RelayResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Wake() => _loop.Post(this);

    private void End()
    {
        _over = true;
        source.Hooks.Taker = null;
        sink.Hooks.Giver = null;
        _registration.Unregister();
        Release();
    }

    private void Release()
    {
        if (_left is not null)
            ArrayPool<byte>.Shared.Return(_left);
        _left = null;
        ReleasePipe();
        _flow?.End();
    }

    private void ReleasePipe()
    {
        if (_pipe is not null)
            _loop.Pipes.Return(_pipe);
        _pipe = null;
    }

    /// <summary>Goes on until it must wait: null.</summary>
    private RelayResult? Pump()
    {
        // What goes first leaves in one piece with what is there: two would be two segments, and wake the peer twice.
        if (_left is not null && _ahead is null && _flow is null && source.IsReadable && TryTakeIntoPipe(_missing, out int found)
            && found != -Errno.TryAgain)
            _ahead = found;
        long until = _missing - LinuxTunnel.BytesInATurn;
        for (int round = 0; round < LinuxTunnel.Rounds && (_missing == 0 || _missing > until); round++)
        {
            if (!TryFlush(out var broken))
                return broken;
            if (_missing == 0)
                return new RelayResult(RelayEnd.Complete);
            int count = _ahead
                ?? (!source.IsReadable ? -Errno.TryAgain : _flow is null || source.HasFailed ? Take(_missing) : TakePaced(_flow));
            _ahead = null;
            if (count == 0)
                return new RelayResult(RelayEnd.SourceClosed);
            if (count == -Errno.TryAgain)
            {
                // Nothing is in flight: the pipe serves another meanwhile.
                ReleasePipe();
                return null;
            }

            if (count < 0)
                return new RelayResult(RelayEnd.SourceBroken, SocketErrors.Of(-count));
        }

        _turn ??= new Turn(this);
        _turn.Post(_loop);
        return null;
    }

    /// <summary>Gives what was taken. False: the sink has no room for all of it, or is broken.</summary>
    private bool TryFlush(out RelayResult? broken)
    {
        broken = null;
        while (_left is not null || _pipe is { Filled: > 0 })
        {
            if (!sink.IsWritable)
                return false;
            int sent = _refused != 0 ? _refused
                : _left is not null ? sink.TrySend(_left.AsSpan(_leftStart, _leftEnd - _leftStart), more: _pipe is { Filled: > 0 })
                : sink.TrySpliceFrom(_pipe!);
            if (sent < 0)
            {
                broken = new RelayResult(RelayEnd.SinkBroken, SocketErrors.Of(-sent));
                return false;
            }

            meter.Given(sent);
            if (_left is null)
                continue;
            _leftStart += sent;
            if (_leftStart < _leftEnd)
                return false;
            ArrayPool<byte>.Shared.Return(_left);
            _left = null;
        }

        return true;
    }

    /// <summary>As <see cref="Take"/>; EAGAIN while it is not its turn, too.</summary>
    private int TakePaced(PacedFlow flow)
    {
        int most = flow.Take();
        int count = most == 0 ? -Errno.TryAgain : Take(Math.Min(most, _missing));
        if (count > 0)
            flow.Took(count);
        else if (most > 0)
            flow.GiveBack();
        return count;
    }

    /// <summary>Bytes taken, or minus errno. False: they must be copied, be it that only recv(2) can tell what is there.</summary>
    /// <param name="most">No more than so many.</param>
    /// <param name="taken">How many were.</param>
    private bool TryTakeIntoPipe(long most, out int taken)
    {
        taken = 0;
        if (most < EventLoop.ScratchSize || _missing <= EventLoop.ScratchSize || source.IsUrgent
            || (_pipe ??= _loop.Pipes.Rent()) is not { } pipe)
            return false;
        taken = source.TrySpliceTo(pipe, most);
        if (taken >= pipe.Capacity)
            _loop.Pipes.Enlarge(pipe);
        if (taken > 0)
            meter.Taken(taken);
        _missing -= Math.Max(0, taken);
        if (taken != 0)
            return true;

        // The end, or the mark of urgent data with the end behind it.
        source.SuspectHangUp();
        return false;
    }

    /// <summary>Bytes taken, 0 at the end, or minus errno.</summary>
    /// <param name="most">No more than so many.</param>
    private int Take(long most)
    {
        if (TryTakeIntoPipe(most, out int spliced))
            return spliced;
        int count = source.TryReceive(_loop.Scratch, (int)Math.Min(most, EventLoop.ScratchSize));
        if (count <= 0)
            return count;
        _missing -= count;
        meter.Taken(count);

        // The scratch is everybody's: what finds no room is put aside before anybody else runs. A refusal is told with the next flush.
        int sent = sink.IsWritable ? sink.TrySend(_loop.Scratch, count) : 0;
        if (sent < 0)
            (_refused, sent) = (sent, 0);
        meter.Given(sent);
        if (sent == count)
            return count;
        (_leftStart, _leftEnd) = (0, count - sent);
        _left = ArrayPool<byte>.Shared.Rent(_leftEnd);
        new ReadOnlySpan<byte>(_loop.Scratch + sent, _leftEnd).CopyTo(_left);
        return count;
    }

    /// <summary>The next turn, which is queued once at a time: events go on meanwhile.</summary>
    private sealed class Turn(LinuxRelay relay) : ILoopWork
    {
        private bool _isQueued;

        public void Post(EventLoop loop)
        {
            if (_isQueued)
                return;
            _isQueued = true;
            loop.Post(this);
        }

        public void Run()
        {
            _isQueued = false;
            relay.Run();
        }
    }
}
