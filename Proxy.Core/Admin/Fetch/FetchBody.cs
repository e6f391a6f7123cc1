using System.Buffers;
using System.Buffers.Text;
using System.Text.Unicode;

namespace TorBalancer.Admin.Fetch;

/// <summary>How a body is put into JSON.</summary>
internal enum FetchBodyForm : byte
{
    /// <summary>Its bytes are UTF-8.</summary>
    Utf8,

    /// <summary>Its bytes are ISO-8859-1.</summary>
    Latin1,

    Base64,
}

/// <summary>A body that was read, up to a limit. Holds the memory that it stands in until it is disposed.</summary>
internal sealed class FetchBody(MemoryShare share) : IDisposable
{
    /// <summary>10 MiB, after decompression.</summary>
    public const int MaxLength = 10 * 1024 * 1024;

    /// <summary>What is read at once.</summary>
    private const int ReadLength = 32 * 1024;

    private const int FirstSegment = 64 * 1024;
    private const int LargestSegment = 1024 * 1024;

    /// <summary>Length of \u00XX.</summary>
    private const int LongEscape = 6;

    /// <summary>What JSON writes as \u00XX (RFC 8259, section 7).</summary>
    private static readonly SearchValues<byte> LongEscapes = SearchValues.Create(
        [1, 2, 3, 4, 5, 6, 7, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);

    /// <summary>What JSON writes as two bytes: the other control characters, quotation mark and reverse solidus.</summary>
    private static readonly SearchValues<byte> ShortEscapes = SearchValues.Create("\b\t\n\f\r\"\\"u8);

    /// <summary>As <see cref="ShortEscapes"/>, and what of ISO-8859-1 has two bytes in UTF-8.</summary>
    private static readonly SearchValues<byte> ShortOrLatin1 = SearchValues.Create(
        [.. "\b\t\n\f\r\"\\"u8, .. Enumerable.Range(0x80, 0x80).Select(static one => (byte)one)]);

    private readonly List<NativeSegment> _segments = [];
    private int _room;

    /// <summary>Bytes.</summary>
    public int Length { get; private set; }

    public FetchBodyForm Form { get; private set; }

    /// <summary>True when the target had more to say than <see cref="MaxLength"/>.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>The codings that it still has, in the order in which they were applied; null: none.</summary>
    public string? Codings { get; private init; }

    /// <summary>Reads a body to its end or the limit.</summary>
    /// <param name="charset">What the target says that it is written in; null: nothing.</param>
    /// <param name="codings">The codings that <paramref name="content"/> still has; null: none.</param>
    /// <param name="share">Pays for it, and is the body's from here on.</param>
    /// <exception cref="InvalidDataException">Its codings are broken.</exception>
    public static async ValueTask<FetchBody> ReadAsync(
        Stream content, string? charset, string? codings, MemoryShare share, CancellationToken cancellationToken)
    {
        var body = new FetchBody(share) { Codings = codings };
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ReadLength);
        try
        {
            var work = default(FetchWork);
            int count;
            while ((count = await content.ReadAsync(buffer, cancellationToken)) > 0)
            {
                int kept = Math.Min(count, MaxLength - body.Length);
                await body.AppendAsync(buffer.AsMemory(0, kept), cancellationToken);
                body.IsTruncated = kept < count;
                if (body.IsTruncated)
                    break;
                if (work.Count(count))
                    await FetchWork.YieldAsync(cancellationToken);
            }

            body.Form = codings is null ? await body.FormOfAsync(charset, buffer, cancellationToken) : FetchBodyForm.Base64;
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Copies what stands at an offset.</summary>
    /// <returns>How many bytes; less than there is room for only at the end.</returns>
    public int CopyTo(int offset, Span<byte> destination)
    {
        int copied = 0, start = 0;
        foreach (var segment in _segments)
        {
            var span = segment.Span;
            int from = offset + copied - start, filled = Math.Min(span.Length, Length - start);
            if (from < filled)
            {
                var part = span[from..filled];
                part = part[..Math.Min(part.Length, destination.Length - copied)];
                part.CopyTo(destination[copied..]);
                copied += part.Length;
            }

            start += span.Length;
            if (copied == destination.Length)
                break;
        }

        return copied;
    }

    public void Dispose()
    {
        _segments.ForEach(static segment => segment.Dispose());
        _segments.Clear();
        Length = 0;
        share.Dispose();
    }

    private async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            if (_room == 0)
            {
                // As large as all before it, so that little is wasted and few are needed.
                int size = Math.Min(Math.Clamp(Length, FirstSegment, LargestSegment), MaxLength - Length);
                await share.GrowAsync(size, cancellationToken);
                _segments.Add(NativeSegment.Allocate(size));
                _room = size;
            }

            int count = Math.Min(bytes.Length, _room);
            bytes.Span[..count].CopyTo(_segments[^1].Span[^_room..]);
            bytes = bytes[count..];
            _room -= count;
            Length += count;
        }
    }

    /// <summary>
    /// Text when it decodes without loss under the charset it declares (UTF-8 when it declares none), holds no NUL and is not
    /// longer in JSON than base64 for what must be escaped in it; base64 otherwise. So the bytes can always be had back.
    /// </summary>
    private async ValueTask<FetchBodyForm> FormOfAsync(string? charset, byte[] buffer, CancellationToken cancellationToken)
    {
        FetchBodyForm? text = charset?.Trim('"', '\'', ' ').ToLowerInvariant() switch
        {
            null or "" or "utf-8" or "utf8" or "us-ascii" or "ascii" => FetchBodyForm.Utf8,
            "iso-8859-1" or "latin1" => FetchBodyForm.Latin1,
            _ => null,
        };
        if (text is not { } form)
            return FetchBodyForm.Base64;
        var work = default(FetchWork);
        long added = 0;
        int offset = 0, count;
        while ((count = CopyTo(offset, buffer)) > 0)
        {
            bool isEnd = offset + count == Length;
            int cut = form == FetchBodyForm.Utf8 ? CutCharacter(buffer.AsSpan(0, count)) : 0;

            // A cut at the limit may have gone through the middle of a character, which is left out.
            if ((isEnd && cut > 0 && !IsTruncated) || Added(buffer.AsSpan(0, count - cut), form) is not { } more)
                return FetchBodyForm.Base64;
            added += more;
            offset += count - cut;
            if (isEnd)
                break;
            if (work.Count(count))
                await FetchWork.YieldAsync(cancellationToken);
        }

        if (offset + added > Base64.GetMaxEncodedToUtf8Length(offset))
            return FetchBodyForm.Base64;
        Length = offset;
        return form;
    }

    /// <summary>How many bytes longer it is as a string of JSON; null when it is no text.</summary>
    private static int? Added(ReadOnlySpan<byte> bytes, FetchBodyForm form)
    {
        if (bytes.Contains((byte)0) || (form == FetchBodyForm.Utf8 && !Utf8.IsValid(bytes)))
            return null;
        return ((LongEscape - 1) * Count(bytes, LongEscapes)) + Count(bytes, form == FetchBodyForm.Latin1 ? ShortOrLatin1 : ShortEscapes);
    }

    private static int Count(ReadOnlySpan<byte> bytes, SearchValues<byte> wanted)
    {
        int count = 0, next;
        while ((next = bytes.IndexOfAny(wanted)) >= 0)
        {
            count++;
            bytes = bytes[(next + 1)..];
        }

        return count;
    }

    /// <summary>How many bytes at the end are the beginning of a character of UTF-8 (RFC 3629, section 3).</summary>
    private static int CutCharacter(ReadOnlySpan<byte> bytes)
    {
        for (int count = 1; count <= Math.Min(3, bytes.Length); count++)
        {
            byte lead = bytes[^count];
            if (lead is >= 0x80 and < 0xC0)
                continue;
            int length = lead switch { >= 0xF0 => 4, >= 0xE0 => 3, >= 0xC0 => 2, _ => 1 };
            return length > count ? count : 0;
        }

        return 0;
    }
}
