using System.Buffers;
using System.Text;

namespace TorBalancer.Onion.Crypto;

/// <summary>Base64 as tor's documents have it: with or without padding, objects in lines of 64.</summary>
internal static class Base64Text
{
    private const int LineLength = 64;

    /// <summary>True when the text is exactly as many bytes as the destination has.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> destination)
    {
        int expected = ((destination.Length + 2) / 3) * 4;
        int unpadded = ((destination.Length * 4) + 2) / 3;
        if (text.Length != expected && text.Length != unpadded)
            return false;
        char[] padded = ArrayPool<char>.Shared.Rent(expected);
        try
        {
            text.CopyTo(padded);
            padded.AsSpan(text.Length, expected - text.Length).Fill('=');
            return Convert.TryFromBase64Chars(padded.AsSpan(0, expected), destination, out int written) && written == destination.Length;
        }
        finally
        {
            ArrayPool<char>.Shared.Return(padded);
        }
    }

    /// <summary>The bytes that lines of base64 are; null when they are none.</summary>
    public static byte[]? DecodeLines(ReadOnlySpan<char> text)
    {
        byte[] buffer = new byte[text.Length];
        return Convert.TryFromBase64Chars(text, buffer, out int written) ? buffer.AsSpan(0, written).ToArray() : null;
    }

    /// <summary>Appends lines of 64 characters, each with its end.</summary>
    public static void AppendLines(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        string encoded = Convert.ToBase64String(bytes);
        for (int at = 0; at < encoded.Length; at += LineLength)
            text.Append(encoded.AsSpan(at, Math.Min(LineLength, encoded.Length - at))).Append('\n');
    }

    public static string Unpadded(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');
}
