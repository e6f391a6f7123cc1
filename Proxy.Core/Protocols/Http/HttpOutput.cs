using System.Buffers;
using System.Buffers.Text;
using System.Net.Sockets;
using TorBalancer.Transport;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// Gathers what goes to one side, so that a head and the first bytes of its body leave in one write. A broken peer is
/// a state, not an exception. One rented buffer, given back whenever all is written and nothing more is at hand.
/// </summary>
/// <param name="connection">Where to.</param>
/// <param name="counters">Where bytes are counted once they are written; null: nowhere.</param>
/// <param name="towardsUpstream">Which of the two counters.</param>
internal sealed class HttpOutput(TransportConnection connection, TunnelCounters? counters, bool towardsUpstream) : IDisposable
{
    private const int BufferBytes = 32 * 1024;

    /// <summary>From here on copying costs more than a write of its own; readers hand out pieces of 4 KiB and more.</summary>
    private const int DirectBytes = 16 * 1024;

    /// <summary>Up to here a message is short: it is copied once more for the sake of fewer wake-ups.</summary>
    private const int SoonBytes = 4 * 1024;

    /// <summary>What is kept free in front of a gathered chunk: its size, which the buffer bounds to four digits, CR LF.</summary>
    private const int ChunkSizeBytes = 6;

    private byte[] _buffer = [];
    private int _used;
    private int _chunkStart = -1;

    /// <summary>Bytes written so far.</summary>
    public long Written { get; private set; }

    /// <summary>The peer is gone; everything since is dropped.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>What the first write was refused with, once <see cref="IsBroken"/>; Success while no write was refused.</summary>
    public SocketError Refusal { get; private set; }

    /// <summary>What bytes wait for before they are written; null: nothing limits them.</summary>
    public BandwidthPace? Pace => counters?.Pace;

    public bool HasPending => _used > 0;

    /// <summary>Adds to what is pending, and ends a chunk that was being gathered; for heads and framing, whose size is bounded.</summary>
    public void Append(ReadOnlySpan<byte> data)
    {
        EndChunk();
        Add(data);
    }

    /// <summary>
    /// Adds body bytes, if they are short and the buffer has room for them. In chunked coding all that is added so before
    /// something else is written becomes one chunk, however many it came in (RFC 9112, section 7.1).
    /// </summary>
    /// <returns>False when nothing was added: <see cref="WriteAsync"/> is needed.</returns>
    public bool TryGather(ReadOnlySpan<byte> data, bool chunked)
    {
        int framing = !chunked ? 0 : _chunkStart >= 0 ? 2 : ChunkSizeBytes + 2;
        if (data.Length >= DirectBytes || _used + data.Length + framing > BufferBytes)
            return false;
        if (chunked && _chunkStart < 0)
        {
            int start = _used;
            Add("0000\r\n"u8);
            _chunkStart = start;
        }

        Add(data);
        return true;
    }

    public void AppendNumber(long value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out int length);
        Append(digits[..length]);
    }

    /// <summary>Adds body bytes: short ones are gathered, long ones go out by themselves behind what is pending.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> data, bool chunked, CancellationToken cancellationToken)
    {
        if (TryGather(data.Span, chunked))
            return;
        if (data.Length < DirectBytes)
        {
            await FlushAsync(cancellationToken);
            TryGather(data.Span, chunked);
            return;
        }

        if (chunked)
            AppendChunkSize(data.Length);
        if (_used > 0)
        {
            // What is pending is a head or the like: it does not leave alone.
            int first = Math.Clamp(BufferBytes - _used, 0, data.Length);
            Add(data.Span[..first]);
            data = data[first..];
        }

        await FlushAsync(cancellationToken);
        await SendAsync(data, cancellationToken);
        if (chunked)
            Append("\r\n"u8);
    }

    /// <summary>
    /// Begins to move body bytes from where they come straight to the peer, behind what is pending. False when they must be written.
    /// </summary>
    public bool TryRelay(
        IRelaySource source, long bytes, IRelayMeter meter, CancellationToken cancellationToken, out ValueTask<RelayResult> relay)
    {
        relay = default;
        EndChunk();
        var pending = _used > 0 ? new ArraySegment<byte>(_buffer, 0, _used) : default;
        if (IsBroken || !source.TryRelay(connection, pending, bytes, meter, cancellationToken, out relay))
            return false;
        if (_used > 0)
            _buffer = [];
        Release();
        return true;
    }

    /// <summary>Counts what was relayed, and what was pending before it.</summary>
    public void CountRelayed(int bytes) => Count(bytes);

    /// <summary>A relay has found the peer gone.</summary>
    public void Break(SocketError refusal) => (IsBroken, Refusal) = (true, refusal);

    /// <summary>Writes all that is pending. False when the peer is gone.</summary>
    public async ValueTask<bool> FlushAsync(CancellationToken cancellationToken)
    {
        if (_used > 0)
        {
            EndChunk();
            int length = _used;
            await SendAsync(_buffer.AsMemory(0, length), cancellationToken);
            _used = 0;
        }

        return !IsBroken;
    }

    /// <summary>
    /// The same at the end of a message behind which the peer is waited for: a short one leaves together with those of other connections
    /// (<see cref="TransportConnection.TryWriteSoon"/>).
    /// </summary>
    public ValueTask<bool> FlushSoonAsync(CancellationToken cancellationToken)
    {
        EndChunk();
        if (_used is 0 or > SoonBytes || IsBroken || Pace is not null || !connection.TryWriteSoon(_buffer.AsSpan(0, _used)))
            return FlushAsync(cancellationToken);
        Count(_used);
        _used = 0;
        return ValueTask.FromResult(true);
    }

    /// <summary>Forgets what is pending and gives the buffer back.</summary>
    public void Release()
    {
        _used = 0;
        _chunkStart = -1;
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    public void Dispose() => Release();

    private async ValueTask SendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (IsBroken || data.IsEmpty)
            return;
        if (counters?.Pace is { } pace)
            await pace.WaitAsync(data.Length, cancellationToken);
        try
        {
            await connection.WriteAsync(data, cancellationToken);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            Break((failure.InnerException as SocketException)?.SocketErrorCode ?? SocketError.OperationAborted);
            return;
        }

        Count(data.Length);
    }

    private void Count(int bytes)
    {
        Written += bytes;
        if (towardsUpstream)
            counters?.AddFromClient(bytes);
        else
            counters?.AddFromUpstream(bytes);
    }

    private void Add(ReadOnlySpan<byte> data)
    {
        if (data.Length > _buffer.Length - _used)
            Grow(data.Length);
        data.CopyTo(_buffer.AsSpan(_used));
        _used += data.Length;
    }

    /// <summary>A chunk's size line (RFC 9112, section 7.1).</summary>
    private void AppendChunkSize(int size)
    {
        Span<byte> line = stackalloc byte[10];
        Append(FormatChunkSize(size, line));
    }

    /// <summary>Writes the size of the chunk that was being gathered in front of it; what stays free there is closed up.</summary>
    private void EndChunk()
    {
        if (_chunkStart < 0)
            return;
        var chunk = _buffer.AsSpan(_chunkStart, _used - _chunkStart);
        Span<byte> line = stackalloc byte[10];
        var size = FormatChunkSize(chunk.Length - ChunkSizeBytes, line);
        chunk[ChunkSizeBytes..].CopyTo(chunk[size.Length..]);
        size.CopyTo(chunk);
        _used -= ChunkSizeBytes - size.Length;
        _chunkStart = -1;
        Add("\r\n"u8);
    }

    private static ReadOnlySpan<byte> FormatChunkSize(int size, Span<byte> line)
    {
        Utf8Formatter.TryFormat(size, line, out int length, new StandardFormat('x'));
        "\r\n"u8.CopyTo(line[length..]);
        return line[..(length + 2)];
    }

    private void Grow(int more)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(BufferBytes, _used + more));
        _buffer.AsSpan(0, _used).CopyTo(larger);
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
