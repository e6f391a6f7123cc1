using System.Buffers;
using System.IO.Pipelines;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// A client's bytes, whose end is told when there is nothing before it that the reader has not seen. Kestrel gives up a body whose last
/// bytes come together with the end, although all of it is there.
/// </summary>
internal sealed class AdminFinishedInput(PipeReader inner) : PipeReader
{
    private ReadOnlySequence<byte> _buffer;
    private long _kept;
    private bool _sawAll;

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
        Pass(await inner.ReadAsync(cancellationToken));

    public override bool TryRead(out ReadResult result)
    {
        if (!inner.TryRead(out result))
            return false;
        result = Pass(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _kept = _buffer.Slice(consumed).Length;
        _sawAll = _buffer.Slice(examined).IsEmpty;
        _buffer = default;
        inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    private ReadResult Pass(ReadResult result)
    {
        _buffer = result.Buffer;
        bool isNew = !_buffer.IsEmpty && !(_sawAll && _buffer.Length == _kept);
        return result.IsCompleted && isNew ? new ReadResult(_buffer, result.IsCanceled, isCompleted: false) : result;
    }

    /// <summary>Both directions; the other one is as it was.</summary>
    internal sealed class Pipes(IDuplexPipe inner) : IDuplexPipe
    {
        public PipeReader Input { get; } = new AdminFinishedInput(inner.Input);

        public PipeWriter Output => inner.Output;
    }
}
