using System.Globalization;
using System.Text;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// The chunked coding as RFC 9112 (section 7.1) has it, read line by line and as simply as can be: what the real decoder is compared with.
/// </summary>
internal static class ReferenceChunks
{
    /// <summary>The body and where the line of the last chunk ends; null: it is not chunked, or not all of it is there.</summary>
    public static (byte[] Body, int Length)? Decode(ReadOnlySpan<byte> input)
    {
        var body = new MemoryStream();
        for (int at = 0; ;)
        {
            int feed = input[at..].IndexOf((byte)'\n');
            if (feed < 1 || SizeOf(input.Slice(at, feed)) is not { } size)
                return null;
            at += feed + 1;
            if (size == 0)
                return (body.ToArray(), at);
            if (input.Length - at - 2 < size || input[at + (int)size] != '\r' || input[at + (int)size + 1] != '\n')
                return null;
            body.Write(input.Slice(at, (int)size));
            at += (int)size + 2;
        }
    }

    //  1*HEXDIG [ BWS ";" … ] CR          without extensions there is no white space either
    private static long? SizeOf(ReadOnlySpan<byte> line)
    {
        if (line[^1] != '\r')
            return null;
        string text = Encoding.Latin1.GetString(line[..^1]);
        int digits = text.TakeWhile(char.IsAsciiHexDigit).Count();
        string rest = text[digits..].TrimStart(' ', '\t');
        bool isPlain = digits == text.Length, isExtended = rest is [';', ..];
        if (digits is 0 or > 15 || !(isPlain || isExtended) || rest.Any(static c => c is not '\t' and (< ' ' or '\x7f')))
            return null;
        return long.Parse(text[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }
}
