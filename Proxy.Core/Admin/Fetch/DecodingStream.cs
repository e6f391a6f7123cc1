using System.IO.Compression;

namespace TorBalancer.Admin.Fetch;

/// <summary>
/// One content coding undone. What the decoder takes is paid for before it is made: a window of brotli is as large as its
/// first byte says and may be filled before anything comes out.
/// </summary>
internal sealed class DecodingStream(Stream source, FetchCoding coding, MemoryShare share) : ReadOnlyStream
{
    /// <summary>RFC 7932, section 9.1: a window has 24 bits at most.</summary>
    public const long LargestBrotliWindow = 1L << 24;

    /// <summary>
    /// 256 Huffman tables of each of three alphabets (256, 704 and 520 symbols, 376 entries more for their second levels, 4 bytes each),
    /// and the state.
    /// </summary>
    public const long BrotliTables = 3 * 1024 * 1024;

    /// <summary>A window of 32 KiB, tables and buffers (zlib.h: "about 44 KB"; DeflateStream reads 8 KiB at once).</summary>
    private const long Deflate = 128 * 1024;

    /// <summary>RFC 1950, section 2.2: the compression method deflate; the whole head is a multiple of 31.</summary>
    private const int ZlibMethod = 8, ZlibCheck = 31;

    private readonly byte[] _head = new byte[2];
    private Stream? _decoder;
    private long _paid;
    private bool _isEmpty;

    // A stream that ends early is broken. Without this a part of it would pass for all of it.
    static DecodingStream() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

    /// <summary>Bytes that undoing the coding may take at most.</summary>
    public static long MemoryOf(FetchCoding coding) => coding == FetchCoding.Brotli ? BrotliTables + LargestBrotliWindow : Deflate;

    /// <exception cref="InvalidDataException">It is not what the coding makes, or ends early.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _decoder ??= await CreateAsync(cancellationToken);
        if (_isEmpty)
            return 0;
        try
        {
            return await _decoder.ReadAsync(buffer, cancellationToken);
        }
        catch (InvalidOperationException failure) when (failure is not ObjectDisposedException)
        {
            // What BrotliStream throws.
            throw new InvalidDataException(failure.Message, failure);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _decoder?.Dispose();
            source.Dispose();
            share.Shrink(Interlocked.Exchange(ref _paid, 0));
        }

        base.Dispose(disposing);
    }

    private async ValueTask<Stream> CreateAsync(CancellationToken cancellationToken)
    {
        int count = await source.ReadAtLeastAsync(
            _head, coding == FetchCoding.Deflate ? 2 : 1, throwOnEndOfStream: false, cancellationToken);
        long memory = coding == FetchCoding.Brotli ? BrotliTables + BrotliWindow(_head[0]) : Deflate;
        await share.GrowAsync(memory, cancellationToken);
        _paid = memory;

        // No body at all has no coding either, whatever its head says.
        _isEmpty = count == 0;
        var whole = new PrefixedStream(_head.AsMemory(0, count), source);
        return coding switch
        {
            FetchCoding.Brotli => new BrotliStream(whole, CompressionMode.Decompress),
            FetchCoding.Gzip => new GZipStream(whole, CompressionMode.Decompress),

            // RFC 9110, section 8.4.1.2: some implementations send it without the zlib format around it.
            _ when count == 2 && (_head[0] & 0x0F) == ZlibMethod && ((_head[0] << 8) | _head[1]) % ZlibCheck == 0 =>
                new ZLibStream(whole, CompressionMode.Decompress),
            _ => new DeflateStream(whole, CompressionMode.Decompress),
        };
    }

    /// <summary>RFC 7932, section 9.1: WBITS, in the lowest one to seven bits of the stream.</summary>
    private static long BrotliWindow(byte head)
    {
        int bits = (head & 1) == 0 ? 16
            : (head >> 1 & 7) is > 0 and var above ? 17 + above
            : (head >> 4 & 7) is > 0 and var below ? 8 + below
            : 17;
        return 1L << bits;
    }
}
