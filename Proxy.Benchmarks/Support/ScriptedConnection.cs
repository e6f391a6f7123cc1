using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using TorBalancer.Transport;

namespace TorBalancer.Benchmarks.Support;

/// <summary>A connection without a network: its peer's messages arrive one at each read, and what is written is only counted.</summary>
internal sealed class ScriptedConnection(params byte[][] messages) : TransportConnection
{
    private readonly ScriptedReader _reader = new(
        [.. messages.SelectMany(static message => message)], [.. messages.Select(static message => message.Length)]);

    public override EndPoint? LocalEndPoint => null;

    public override IPAddress? RemoteAddress => null;

    public override PipeReader Input => _reader;

    public long Written { get; private set; }

    /// <summary>Back to the first message.</summary>
    public void Rewind() => _reader.Rewind();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default)
    {
        Written += data.Length;
        return ValueTask.CompletedTask;
    }

    public override bool TryClaim() => true;

    public override void Schedule(IThreadPoolWorkItem work) => ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: false);

    public override void ShutdownSend()
    {
    }

    public override void Abort()
    {
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class ScriptedReader(byte[] bytes, int[] lengths) : PipeReader
    {
        private int _next, _consumed, _examined, _arrived;

        public void Rewind() => _next = _consumed = _examined = _arrived = 0;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            if (_examined == _arrived && _next < lengths.Length)
                _arrived += lengths[_next++];
            return ValueTask.FromResult(
                new ReadResult(
                    new ReadOnlySequence<byte>(bytes, _consumed, _arrived - _consumed), false,
                    _arrived == bytes.Length && _examined == _arrived));
        }

        public override bool TryRead(out ReadResult result)
        {
            result = new ReadResult(new ReadOnlySequence<byte>(bytes, _consumed, _arrived - _consumed), false, false);
            return _examined < _arrived;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            _consumed = consumed.GetInteger() & int.MaxValue;
            _examined = examined.GetInteger() & int.MaxValue;
        }

        public override void CancelPendingRead()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
