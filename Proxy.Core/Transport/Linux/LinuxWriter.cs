using System.Threading.Tasks.Sources;

namespace TorBalancer.Transport.Linux;

/// <summary>A write that must wait: for room, or for the loop when it was asked for on another thread. One at a time.</summary>
internal sealed class LinuxWriter(LinuxConnection connection) : IValueTaskSource, ILoopWork
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private ReadOnlyMemory<byte> _data;
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private ReadOnlyMemory<byte> _owed;
    private volatile bool _busy;

    public bool IsBusy => _busy || _owed.Length > 0;

    /// <summary>On the loop: writes this when there is room, before anything else. Nobody waits for it.</summary>
    public void Owe(byte[] data) => _owed = data;

    public ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (_busy)
            throw new InvalidOperationException("one write at a time");
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        _core.RunContinuationsAsynchronously = !connection.Loop.IsCurrent;
        _data = data;
        _token = cancellationToken;
        short version = _core.Version;
        _busy = true;
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static state => ((LinuxWriter)state!).Wake(), this);

        // On the loop the kernel has just refused; elsewhere the loop has yet to try.
        if (!connection.Loop.IsCurrent || connection.IsClosed)
            connection.Loop.Post(this);
        return new ValueTask(this, version);
    }

    /// <summary>On the loop: there may be room, or a reason to give up.</summary>
    public void Run()
    {
        if (!IsBusy)
            return;
        if (!connection.Loop.IsCurrent)
        {
            connection.Loop.Post(this);
            return;
        }

        connection.SendWhatIsHeld();
        if (_busy && _token.IsCancellationRequested)
        {
            End().SetException(new OperationCanceledException(_token));
            return;
        }

        if (!TryWriteOwed() || !_busy)
            return;
        if (connection.IsClosed)
        {
            End().SetException(SocketErrors.Closed());
            return;
        }

        int sent = connection.TrySend(_data.Span);
        if (sent < 0)
        {
            End().SetException(SocketErrors.ToException(-sent));
            return;
        }

        _data = _data[sent..];
        if (!_data.IsEmpty)
            return;
        ref var core = ref End();
        connection.Written();
        core.SetResult(true);
    }

    void IValueTaskSource.GetResult(short token)
    {
        try
        {
            _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
        }
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    /// <summary>True when nothing is owed any more, be it that it cannot be written.</summary>
    private bool TryWriteOwed()
    {
        if (_owed.IsEmpty)
            return true;
        int sent = connection.IsClosed ? _owed.Length : connection.TrySend(_owed.Span);
        if (sent < 0)
            connection.Hooks.Refusal = -sent;
        _owed = sent < 0 ? default : _owed[sent..];
        if (!_owed.IsEmpty)
            return false;
        if (!_busy)
            connection.Written();
        return true;
    }

    private void Wake() => connection.Loop.Post(this);

    private ref ManualResetValueTaskSourceCore<bool> End()
    {
        _data = default;
        _token = default;
        _registration.Unregister();
        _registration = default;
        _busy = false;
        return ref _core;
    }
}
