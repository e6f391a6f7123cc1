using System.Buffers;
using System.IO.Pipelines;

namespace TorBalancer.Protocols.Http;

/// <summary>How moving a body ended.</summary>
internal enum HttpBodyEnd : byte
{
    Complete,

    /// <summary>The source finished (FIN) in the middle.</summary>
    SourceClosed,

    /// <summary>The source reset the connection.</summary>
    SourceBroken,

    /// <summary>The source's chunks are not chunks.</summary>
    SourceMalformed,

    /// <summary>Nobody takes the bytes any more.</summary>
    SinkBroken,

    /// <summary>CancelPendingRead on the source: stopped on purpose.</summary>
    Stopped,

    /// <summary>More than was to be drained.</summary>
    TooLong,
}

/// <param name="Kind">How the body is delimited where it comes from.</param>
/// <param name="Length">Its bytes, for <see cref="HttpBodyKind.Length"/>.</param>
/// <param name="ChunkedOut">Written as chunks; else its bytes alone.</param>
/// <param name="Lenient">See <see cref="HttpChunkDecoder"/>.</param>
internal readonly record struct HttpBodyPlan(HttpBodyKind Kind, long Length, bool ChunkedOut, bool Lenient);

/// <summary>Moves one body, of any length, through at most one buffer. With no sink it is read and dropped.</summary>
internal sealed class HttpBodyPump(PipeReader from, HttpOutput? to)
{
    private HttpBodyPlan _plan;
    private long _moved;
    private volatile bool _sourceDone;

    /// <summary>Bytes of it were taken from the source: it cannot be sent a second time.</summary>
    public bool Touched { get; private set; }

    /// <summary>
    /// All of it was taken from the source. True before the last byte is written, so that whoever answers that byte finds
    /// it true.
    /// </summary>
    public bool SourceDone => _sourceDone;

    /// <summary>Ends with <see cref="HttpBodyEnd.TooLong"/> behind this many bytes of body.</summary>
    public long Limit { get; init; } = long.MaxValue;

    /// <summary>
    /// Runs until the body is over and written. What is behind it stays in the source. Throws only
    /// <see cref="OperationCanceledException"/>.
    /// </summary>
    public async ValueTask<HttpBodyEnd> RunAsync(HttpBodyPlan plan, CancellationToken readToken, CancellationToken writeToken)
    {
        _plan = plan;
        var end = plan.Kind switch
        {
            HttpBodyKind.Length => await MoveLengthAsync(readToken, writeToken),
            HttpBodyKind.UntilClose => await MoveUntilCloseAsync(readToken, writeToken),
            HttpBodyKind.Chunked => await MoveChunksAsync(readToken, writeToken),
            _ => HttpBodyEnd.Complete,
        };
        if (to is not null && end == HttpBodyEnd.Complete && !await to.FlushAsync(writeToken))
            return HttpBodyEnd.SinkBroken;
        return end;
    }

    private async ValueTask<HttpBodyEnd> MoveLengthAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        long remaining = _plan.Length;
        while (remaining > 0)
        {
            var (read, end) = await NextAsync(readToken, writeToken);
            if (end is { } ended)
                return ended;
            var body = read.Buffer.Length > remaining ? read.Buffer.Slice(0, remaining) : read.Buffer;

            // the sequence must not be touched once the reader has taken its segments back
            long length = body.Length;
            _sourceDone = length == remaining;
            try
            {
                if (!await EmitAsync(body, writeToken))
                    return Failed;
            }
            finally
            {
                Advance(length, body.End);
            }

            remaining -= length;
            if (remaining > 0 && read.IsCompleted)
                return HttpBodyEnd.SourceClosed;
        }

        return HttpBodyEnd.Complete;
    }

    private async ValueTask<HttpBodyEnd> MoveUntilCloseAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        while (true)
        {
            var (read, end) = await NextAsync(readToken, writeToken);
            if (end is { } ended)
                return ended;
            try
            {
                if (!await EmitAsync(read.Buffer, writeToken))
                    return Failed;
            }
            finally
            {
                Advance(read.Buffer.Length, read.Buffer.End);
            }

            if (read.IsCompleted)
                return HttpBodyEnd.Complete;
        }
    }

    private async ValueTask<HttpBodyEnd> MoveChunksAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        var decoder = new HttpChunkDecoder(_plan.Lenient);
        while (true)
        {
            var (read, end) = await NextAsync(readToken, writeToken);
            if (end is { } ended)
                return ended;
            long used = 0;
            var status = HttpChunkStatus.NeedMore;
            try
            {
                foreach (var segment in read.Buffer)
                {
                    for (int at = 0; at < segment.Length && status is HttpChunkStatus.NeedMore or HttpChunkStatus.Data;)
                    {
                        status = decoder.Step(segment.Span[at..], out int consumed, out int dataStart, out int dataLength);
                        if (dataLength > 0 && !await EmitAsync(segment.Slice(at + dataStart, dataLength), writeToken))
                            return Failed;
                        at += consumed;
                        used += consumed;
                        if (at == segment.Length)
                            break;
                    }

                    if (status is HttpChunkStatus.LastChunk or HttpChunkStatus.Malformed)
                        break;
                }
            }
            finally
            {
                Advance(used, read.Buffer.GetPosition(used));
            }

            if (status == HttpChunkStatus.Malformed)
                return HttpBodyEnd.SourceMalformed;
            if (status == HttpChunkStatus.LastChunk)
                return await MoveTrailersAsync(readToken, writeToken);
            if (read.IsCompleted)
                return HttpBodyEnd.SourceClosed;
        }
    }

    private async ValueTask<HttpBodyEnd> MoveTrailersAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        var scanner = HttpHeadScanner.ForTrailers();
        while (true)
        {
            var (read, end) = await NextAsync(readToken, writeToken);
            if (end is { } ended)
                return ended;
            var status = scanner.Scan(read.Buffer, out int length);
            if (status == HttpScanStatus.Incomplete)
            {
                from.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                if (read.IsCompleted)
                    return HttpBodyEnd.SourceClosed;
                continue;
            }

            using var trailers = new HttpTrailers();
            string? problem = status == HttpScanStatus.Complete ? trailers.Parse(read.Buffer.Slice(0, length)) : "";
            from.AdvanceTo(read.Buffer.GetPosition(length));
            if (problem is not null)
                return HttpBodyEnd.SourceMalformed;
            _sourceDone = true;
            if (to is not null && _plan.ChunkedOut)
            {
                to.Append("0\r\n"u8);
                HttpHeadWriter.WriteTrailers(to, trailers);
            }

            return HttpBodyEnd.Complete;
        }
    }

    /// <summary>What is at hand; if nothing is, first writes all that is pending and gives the buffer back.</summary>
    private async ValueTask<(ReadResult Read, HttpBodyEnd? End)> NextAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        if (!from.TryRead(out var result))
        {
            if (to is not null)
            {
                if (!await to.FlushAsync(writeToken))
                    return (default, HttpBodyEnd.SinkBroken);
                to.Release();
            }

            var read = await from.ReceiveAsync(readToken);
            if (read.IsBroken)
                return (default, HttpBodyEnd.SourceBroken);
            result = read.Result;
        }

        if (!result.IsCanceled)
            return (result, null);
        from.AdvanceTo(result.Buffer.Start, result.Buffer.Start);
        return (default, HttpBodyEnd.Stopped);
    }

    private HttpBodyEnd Failed => to is null ? HttpBodyEnd.TooLong : HttpBodyEnd.SinkBroken;

    private void Advance(long used, SequencePosition position)
    {
        Touched |= used > 0;
        from.AdvanceTo(position);
    }

    private async ValueTask<bool> EmitAsync(ReadOnlySequence<byte> data, CancellationToken cancellationToken)
    {
        foreach (var segment in data)
        {
            if (!segment.IsEmpty && !await EmitAsync(segment, cancellationToken))
                return false;
        }

        return true;
    }

    private async ValueTask<bool> EmitAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        _moved += data.Length;
        if (to is null)
            return _moved <= Limit;
        if (_plan.ChunkedOut)
            to.AppendChunkSize(data.Length);
        await to.WriteAsync(data, cancellationToken);
        if (_plan.ChunkedOut)
            to.Append("\r\n"u8);
        return !to.IsBroken;
    }
}
