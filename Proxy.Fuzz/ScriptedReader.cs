using System.Buffers;
using System.IO.Pipelines;

namespace TorBalancer.Fuzz;

/// <summary>
/// A peer's bytes that come piece by piece, one with each read that has nothing new otherwise; the end comes behind the last one. It
/// watches that nobody takes more than has come, or reads on and on behind the end.
/// </summary>
internal sealed class ScriptedReader(byte[] bytes, int[] ends) : PipeReader
{
    private const int ReadsBehindTheEnd = 1000;

    private ReadOnlySequence<byte> _current;
    private int _pieces;
    private int _examined;
    private int _left = ReadsBehindTheEnd;

    /// <summary>Bytes that were taken.</summary>
    public int Consumed { get; private set; }

    private int Arrived => _pieces == 0 ? 0 : ends[_pieces - 1];

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        bool isNothingNew = _examined >= Arrived;
        bool isEnd = isNothingNew && _pieces == ends.Length;
        if (isNothingNew && !isEnd)
            _pieces++;
        return ValueTask.FromResult(Result(isEnd));
    }

    public override bool TryRead(out ReadResult result)
    {
        result = default;
        bool isNothingNew = _examined >= Arrived;
        if (isNothingNew && _pieces < ends.Length)
            return false;
        result = Result(isNothingNew);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        int taken = OffsetOf(consumed), seen = OffsetOf(examined);
        Expect.That(taken <= seen, "nothing is taken that was not examined");
        Expect.That(Consumed + seen <= Arrived, "nothing is taken that has not come");
        _examined = Consumed + seen;
        Consumed += taken;
        _current = default;
    }

    public override void CancelPendingRead()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }

    private ReadResult Result(bool isEnd)
    {
        Expect.That(!isEnd || --_left > 0, "nobody reads on and on behind the end");
        _current = Pieces.Sequence(bytes, ends, Consumed, Arrived);
        return new ReadResult(_current, isCanceled: false, isCompleted: isEnd);
    }

    private int OffsetOf(SequencePosition position) => _current.IsEmpty ? 0 : (int)_current.Slice(0, position).Length;
}
