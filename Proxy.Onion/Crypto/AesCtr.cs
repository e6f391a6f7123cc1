using System.Buffers.Binary;
using System.Security.Cryptography;

namespace TorBalancer.Onion.Crypto;

/// <summary>AES-256 in counter mode: the block cipher over a 128-bit big-endian counter gives the key stream.</summary>
internal sealed class AesCtr : IDisposable
{
    private const int Block = 16, Batch = 64 * Block;

    private readonly Aes _aes;
    private readonly byte[] _counter = new byte[Block];
    private readonly byte[] _stream = new byte[Batch];
    private int _used = Batch;

    /// <param name="key">32 bytes.</param>
    /// <param name="iv">The counter's first value, 16 bytes.</param>
    public AesCtr(ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv)
    {
        _aes = Aes.Create();
        _aes.SetKey(key);
        iv.CopyTo(_counter);
    }

    /// <summary>Encrypts or decrypts in place; goes on where the last call ended.</summary>
    public void Apply(Span<byte> data)
    {
        for (int at = 0; at < data.Length; at++)
        {
            if (_used == Batch)
                Refill();
            data[at] ^= _stream[_used++];
        }
    }

    public void Dispose()
    {
        _aes.Dispose();
        CryptographicOperations.ZeroMemory(_stream);
    }

    private void Refill()
    {
        for (int at = 0; at < Batch; at += Block)
        {
            _counter.CopyTo(_stream, at);
            Increment();
        }

        _aes.EncryptEcb(_stream, _stream, PaddingMode.None);
        _used = 0;
    }

    private void Increment()
    {
        ulong low = BinaryPrimitives.ReadUInt64BigEndian(_counter.AsSpan(8)) + 1;
        BinaryPrimitives.WriteUInt64BigEndian(_counter.AsSpan(8), low);
        if (low == 0)
            BinaryPrimitives.WriteUInt64BigEndian(_counter, BinaryPrimitives.ReadUInt64BigEndian(_counter) + 1);
    }
}
