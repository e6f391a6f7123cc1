using System.Buffers;
using System.Buffers.Text;
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

    private byte[] _buffer = [];
    private int _used;

    /// <summary>Bytes written so far.</summary>
    public long Written { get; private set; }

    /// <summary>The peer is gone; everything since is dropped.</summary>
    public bool IsBroken { get; private set; }

    public bool HasPending => _used > 0;

    /// <summary>Adds to what is pending; for heads and framing, whose size is bounded.</summary>
    public void Append(ReadOnlySpan<byte> data)
    {
        if (data.Length > _buffer.Length - _used)
            Grow(data.Length);
        data.CopyTo(_buffer.AsSpan(_used));
        _used += data.Length;
    }

    public void AppendNumber(long value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out int length);
        Append(digits[..length]);
    }

    /// <summary>A chunk's size line (RFC 9112, section 7.1).</summary>
    public void AppendChunkSize(int size)
    {
        Span<byte> digits = stackalloc byte[8];
        Utf8Formatter.TryFormat(size, digits, out int length, new StandardFormat('x'));
        Append(digits[..length]);
        Append("\r\n"u8);
    }

    /// <summary>Adds body bytes: short ones are gathered, long ones go out by themselves behind what is pending.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (data.Length < DirectBytes)
        {
            if (_used + data.Length > BufferBytes)
                await FlushAsync(cancellationToken);
            Append(data.Span);
            return;
        }

        await FlushAsync(cancellationToken);
        await SendAsync(data, cancellationToken);
    }

    /// <summary>Writes all that is pending. False when the peer is gone.</summary>
    public async ValueTask<bool> FlushAsync(CancellationToken cancellationToken)
    {
        if (_used > 0)
        {
            int length = _used;
            await SendAsync(_buffer.AsMemory(0, length), cancellationToken);
            _used = 0;
        }

        return !IsBroken;
    }

    /// <summary>Forgets what is pending and gives the buffer back.</summary>
    public void Release()
    {
        _used = 0;
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    public void Dispose() => Release();

    private async ValueTask SendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (IsBroken || data.IsEmpty)
            return;
        try
        {
            await connection.WriteAsync(data, cancellationToken);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            IsBroken = true;
            return;
        }

        Written += data.Length;
        if (towardsUpstream)
            counters?.AddFromClient(data.Length);
        else
            counters?.AddFromUpstream(data.Length);
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
