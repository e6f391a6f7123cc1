using System.Buffers;
using System.IO.Pipelines;

namespace TorBalancer.Transport;

/// <summary>
/// A connection as a <see cref="Stream"/>, for TLS over it and for HttpClient, which cancels by disposing the stream under its reads and
/// writes: they end then. The connection itself belongs to whoever opened it.
/// </summary>
internal sealed class TransportConnectionStream(TransportConnection connection, TunnelCounters counters) : Stream
{
    private volatile bool _disposed;
    private volatile bool _writing;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ReadResult result = await connection.Input.ReadAsync(cancellationToken);
        var available = result.Buffer;
        if (result.IsCanceled || _disposed)
        {
            connection.Input.AdvanceTo(available.Start);
            throw new IOException("the stream was disposed");
        }

        // A read of nothing asks to be told when there is something, and takes none of it.
        int count = (int)Math.Min(available.Length, buffer.Length);
        available.Slice(0, count).CopyTo(buffer.Span);
        connection.Input.AdvanceTo(available.GetPosition(count));
        counters.AddFromUpstream(count);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _writing = true;
        await connection.WriteAsync(buffer, cancellationToken);
        _writing = false;
        counters.AddFromClient(buffer.Length);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            if (_writing)
                connection.Abort();
            else
                connection.Input.CancelPendingRead();
        }

        base.Dispose(disposing);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
