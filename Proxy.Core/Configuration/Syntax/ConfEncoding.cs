using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace TorBalancer.Configuration.Syntax;

/// <summary>
/// Bytes of a configuration file to text. A byte that is not UTF-8 is kept apart instead of being replaced: a password in
/// Latin-1 would otherwise be taken and never match.
/// </summary>
internal static class ConfEncoding
{
    private const char FirstUndecoded = '\uDC80';
    private const char LastUndecoded = '\uDCFF';

    /// <summary>
    /// UTF-8, or UTF-16 and UTF-32 when a byte order mark says so. Each byte that is not UTF-8 becomes a lone surrogate U+DC80 to
    /// U+DCFF (the "surrogateescape" of PEP 383), which <see cref="Problem"/> finds: so the line that it stands in can be named.
    /// </summary>
    /// <returns>False with a predicate when it is no text in any of these.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, out string text, out string problem)
    {
        (text, problem) = ("", "");
        var (encoding, skip) = Encoding(bytes);
        if (encoding is not null)
        {
            text = encoding.GetString(bytes[skip..]);
            return true;
        }

        // Two letters of ASCII in UTF-16; no configuration has a NUL, so it is not mistaken for one.
        if (bytes is [0, not 0, 0, not 0, ..] or [not 0, 0, not 0, 0, ..])
        {
            problem = "is UTF-16 without a byte order mark; save it as UTF-8";
            return false;
        }

        bytes = bytes[skip..];
        text = Utf8.IsValid(bytes) ? System.Text.Encoding.UTF8.GetString(bytes) : Escape(bytes);
        return true;
    }

    /// <summary>
    /// What keeps a line, or a value, from being text, as a predicate; null: nothing. The text itself is not repeated: it may be a
    /// password.
    /// </summary>
    public static string? Problem(ReadOnlySpan<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '\0')
                return "has a NUL character, which no text file has; save it as UTF-8";

            // U+FFFD is what a converter, or the runtime in a variable and an argument, leaves of such a byte.
            if (c == '\uFFFD')
                return "has a character that was lost in a conversion (U+FFFD); write it again, in UTF-8";
            bool isPair = i > 0 && char.IsSurrogatePair(text[i - 1], c);
            if (IsUndecoded(c) && !isPair)
                return "has bytes that are not UTF-8; save the file as UTF-8 (for instance: iconv -f LATIN1 -t UTF-8)";
        }

        return null;
    }

    /// <summary>True for the place of a byte that was not UTF-8.</summary>
    private static bool IsUndecoded(char c) => c is >= FirstUndecoded and <= LastUndecoded;

    private static (Encoding? Encoding, int Skip) Encoding(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0xEF, 0xBB, 0xBF, ..] => (null, 3),
        [0xFF, 0xFE, 0, 0, ..] => (System.Text.Encoding.UTF32, 4),
        [0xFF, 0xFE, ..] => (System.Text.Encoding.Unicode, 2),
        [0xFE, 0xFF, ..] => (System.Text.Encoding.BigEndianUnicode, 2),
        _ => (null, 0),
    };

    private static string Escape(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        Span<char> pair = stackalloc char[2];
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out int length) == OperationStatus.Done)
            {
                text.Append(pair[..rune.EncodeToUtf16(pair)]);
            }
            else
            {
                foreach (byte b in bytes[..length])
                    text.Append((char)(FirstUndecoded + (b - 0x80)));
            }

            bytes = bytes[length..];
        }

        return text.ToString();
    }
}
