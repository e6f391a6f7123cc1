using System.Buffers;
using System.IO.Pipelines;
using TorBalancer.Transport;

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

    /// <summary>The source's chunk extensions or trailers are larger than <see cref="HttpLimits"/>; they may be valid.</summary>
    SourceTooLarge,

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
/// <param name="IsAwaited">
/// Nothing is written behind it before the peer has sent something: see <see cref="HttpOutput.FlushSoonAsync"/>.
/// </param>
internal readonly record struct HttpBodyPlan(HttpBodyKind Kind, long Length, bool ChunkedOut, bool Lenient, bool IsAwaited = false);

/// <summary>
/// Moves one body, of any length, through at most one buffer. With no sink it is read and dropped. What is long and of known length goes
/// past this process where the engine can do that.
/// </summary>
internal sealed class HttpBodyPump(PipeReader from, HttpOutput? to) : IRelayMeter
{
    /// <summary>A rest of a body that is worth more than another read and write.</summary>
    private const long LeastToRelay = 16 * 1024;

    private HttpBodyPlan _plan;
    private HttpChunkDecoder _decoder;
    private long _moved;
    private long _missing;
    private volatile bool _sourceDone;

    /// <summary>Bytes of it were taken from the source: it cannot be sent a second time.</summary>
    public bool Touched { get; private set; }

    /// <summary>
    /// All of it was taken from the source. True before the last byte is written, so that whoever answers that byte finds
    /// it true.
    /// </summary>
    public bool SourceDone => _sourceDone;

    /// <summary>Its framing was not quite as it should be: what follows from the same source is not trusted.</summary>
    public bool IsRepaired { get; private set; }

    /// <summary>That it is complete is known from the source's end alone, which must not have been a reset.</summary>
    public bool EndedByClose { get; private set; }

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
            HttpBodyKind.Length when TryTakeAll() is { } ended => ended,
            HttpBodyKind.Length => await MoveLengthAsync(readToken, writeToken),
            HttpBodyKind.UntilClose => await MoveUntilCloseAsync(readToken, writeToken),
            HttpBodyKind.Chunked => await MoveChunksAsync(readToken, writeToken),
            _ => HttpBodyEnd.Complete,
        };
        if (to is null || end != HttpBodyEnd.Complete)
            return end;
        bool written = await (plan.IsAwaited ? to.FlushSoonAsync(writeToken) : to.FlushAsync(writeToken));
        return written ? HttpBodyEnd.Complete : HttpBodyEnd.SinkBroken;
    }

    /// <summary>Takes a short body that came with its head, as most do, without a method that could wait. Null: it did not.</summary>
    private HttpBodyEnd? TryTakeAll()
    {
        if (_plan.Length is 0 or > LeastToRelay || !from.TryRead(out var read))
            return null;
        var body = read.Buffer;
        if (!read.IsCanceled && body.FirstSpan.Length >= _plan.Length && TryTake(body.FirstSpan[..(int)_plan.Length]))
        {
            _sourceDone = true;
            Advance(_plan.Length, body.GetPosition(_plan.Length));
            return HttpBodyEnd.Complete;
        }

        from.AdvanceTo(body.Start, body.Start);
        return read.IsCanceled ? HttpBodyEnd.Stopped : null;
    }

    private async ValueTask<HttpBodyEnd> MoveLengthAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        long remaining = _plan.Length;
        while (remaining > 0)
        {
            var (read, end) = await NextAsync(readToken, writeToken, remaining);
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
            {
                EndedByClose = true;
                return HttpBodyEnd.Complete;
            }
        }
    }

    private async ValueTask<HttpBodyEnd> MoveChunksAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        _decoder = new HttpChunkDecoder(_plan.Lenient);
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
                    int at = 0;
                    do
                    {
                        int before = at;
                        status = Gather(segment.Span, ref at, out int left);
                        used += at - before;
                        if (left > 0 && !await EmitAsync(segment.Slice(at - left, left), writeToken))
                            return Failed;
                    }
                    while (status == HttpChunkStatus.Data);
                    if (status != HttpChunkStatus.NeedMore)
                        break;
                }
            }
            finally
            {
                Advance(used, read.Buffer.GetPosition(used));
            }

            IsRepaired = _decoder.IsRepaired;
            if (status == HttpChunkStatus.Malformed)
                return HttpBodyEnd.SourceMalformed;
            if (status == HttpChunkStatus.TooLarge)
                return HttpBodyEnd.SourceTooLarge;
            if (status == HttpChunkStatus.LastChunk)
                return await MoveTrailersAsync(readToken, writeToken);
            if (read.IsCompleted)
                return HttpBodyEnd.SourceClosed;
        }
    }

    /// <summary>
    /// Decodes from <paramref name="at"/> as long as no write is needed: chunks of a few bytes cost a few instructions each.
    /// </summary>
    /// <returns>Data when the <paramref name="left"/> bytes in front of <paramref name="at"/> must be written before it goes on.</returns>
    private HttpChunkStatus Gather(ReadOnlySpan<byte> input, ref int at, out int left)
    {
        left = 0;
        while (at < input.Length)
        {
            var status = _decoder.Step(input[at..], out int consumed, out int dataStart, out int dataLength);
            var data = input.Slice(at + dataStart, dataLength);
            at += consumed;
            if (status == HttpChunkStatus.Data && TryTake(data))
                continue;
            if (status == HttpChunkStatus.Data)
                left = dataLength;
            if (status != HttpChunkStatus.NeedMore)
                return status;
        }

        return HttpChunkStatus.NeedMore;
    }

    private async ValueTask<HttpBodyEnd> MoveTrailersAsync(CancellationToken readToken, CancellationToken writeToken)
    {
        var scanner = HttpHeadScanner.ForTrailers(_plan.Lenient);
        while (true)
        {
            var (read, end) = await NextAsync(readToken, writeToken);
            if (end is { } ended)
                return ended;
            var status = scanner.Scan(read.Buffer, out int length);
            if (status == HttpScanStatus.Incomplete)
            {
                if (read.IsCompleted && _plan.Lenient)
                {
                    // The last chunk has come, so all of the body has; servers forget the line behind it.
                    from.AdvanceTo(read.Buffer.End);
                    return CompleteWithoutTrailers();
                }

                from.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                if (read.IsCompleted)
                    return HttpBodyEnd.SourceClosed;
                continue;
            }

            using var trailers = new HttpTrailers();
            string? problem = status == HttpScanStatus.Complete ? trailers.Parse(read.Buffer.Slice(0, length), _plan.Lenient) : "";
            from.AdvanceTo(read.Buffer.GetPosition(length));
            if (problem is not null)
                return status is HttpScanStatus.Complete or HttpScanStatus.BareLineFeed
                    ? HttpBodyEnd.SourceMalformed
                    : HttpBodyEnd.SourceTooLarge;
            _sourceDone = true;
            IsRepaired |= trailers.IsRepaired;
            if (to is not null && _plan.ChunkedOut)
            {
                to.Append("0\r\n"u8);
                HttpHeadWriter.WriteTrailers(to, trailers);
            }

            return HttpBodyEnd.Complete;
        }
    }

    private HttpBodyEnd CompleteWithoutTrailers()
    {
        _sourceDone = true;
        IsRepaired = true;
        EndedByClose = true;
        if (to is not null && _plan.ChunkedOut)
            to.Append("0\r\n\r\n"u8);
        return HttpBodyEnd.Complete;
    }

    void IRelayMeter.Taken(int bytes)
    {
        Touched = true;
        _missing -= bytes;
        _sourceDone = _missing == 0;
    }

    BandwidthPace? IRelayMeter.Pace => to!.Pace;

    void IRelayMeter.Given(int bytes) => to!.CountRelayed(bytes);

    /// <summary>
    /// What is at hand; if nothing is, first writes all that is pending and gives the buffer back. The whole <paramref name="rest"/> of a
    /// body of known length may then be relayed, which ends it.
    /// </summary>
    private async ValueTask<(ReadResult Read, HttpBodyEnd? End)> NextAsync(
        CancellationToken readToken, CancellationToken writeToken, long rest = 0)
    {
        if (!from.TryRead(out var result))
        {
            if (to is not null)
            {
                if (rest >= LeastToRelay && TryRelay(rest, writeToken, out var relay))
                    return (default, Ended(await relay));
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

    private bool TryRelay(long rest, CancellationToken cancellationToken, out ValueTask<RelayResult> relay)
    {
        relay = default;
        _missing = rest;
        return from is IRelaySource source && to!.TryRelay(source, rest, this, cancellationToken, out relay);
    }

    private HttpBodyEnd Ended(RelayResult result)
    {
        if (result.End == RelayEnd.SinkBroken)
            to!.Break(result.Error);
        return result.End switch
        {
            RelayEnd.Complete => HttpBodyEnd.Complete,
            RelayEnd.SourceClosed => HttpBodyEnd.SourceClosed,
            RelayEnd.SourceBroken => HttpBodyEnd.SourceBroken,
            _ => HttpBodyEnd.SinkBroken,
        };
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
        if (TryTake(data.Span))
            return true;
        if (to is null)
            return false;
        _moved += data.Length;
        await to.WriteAsync(data, _plan.ChunkedOut, cancellationToken);
        return !to.IsBroken;
    }

    /// <summary>Takes body bytes that need no write. False when they do, or are more than was to be drained.</summary>
    private bool TryTake(ReadOnlySpan<byte> data)
    {
        bool taken = to is null ? _moved + data.Length <= Limit : to.TryGather(data, _plan.ChunkedOut);
        if (taken)
            _moved += data.Length;
        return taken;
    }
}
