using System.Buffers;
using System.Text;

namespace TorBalancer.Protocols.Http;

/// <summary>The character classes of RFC 9110, section 5.6, and comma-separated lists.</summary>
internal static class HttpChars
{
    public static readonly SearchValues<byte> Token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    /// <summary>Everything that may not stand in a field value: all controls but HTAB (RFC 9110, section 5.5).</summary>
    public static readonly SearchValues<byte> FieldValueForbidden = SearchValues.Create(Controls(withTab: false));

    /// <summary>Controls and the space: what ends a request-target or may not stand in it.</summary>
    public static readonly SearchValues<byte> TargetForbidden = SearchValues.Create([.. Controls(withTab: true), (byte)' ', (byte)'#']);

    /// <summary>What shows that a Host value is a list, a path or a URI.</summary>
    public static readonly SearchValues<byte> HostForbidden = SearchValues.Create(" \t,/?#@\\"u8);

    public static bool IsToken(ReadOnlySpan<byte> text) => !text.IsEmpty && !text.ContainsAnyExcept(Token);

    /// <summary>Without the optional white space (SP, HTAB) around it.</summary>
    public static ReadOnlySpan<byte> TrimOws(ReadOnlySpan<byte> text) => text.Trim(" \t"u8);

    public static bool EqualsIgnoreCase(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) => Ascii.EqualsIgnoreCase(left, right);

    /// <summary>Takes the next member of a comma-separated list; empty members are skipped (RFC 9110, section 5.6.1.2).</summary>
    public static bool TryTakeListMember(ref ReadOnlySpan<byte> list, out ReadOnlySpan<byte> member)
    {
        while (!list.IsEmpty)
        {
            int comma = list.IndexOf((byte)',');
            member = TrimOws(comma < 0 ? list : list[..comma]);
            list = comma < 0 ? default : list[(comma + 1)..];
            if (!member.IsEmpty)
                return true;
        }

        member = default;
        return false;
    }

    private static byte[] Controls(bool withTab)
    {
        var controls = new List<byte>(33);
        for (byte c = 0; c < 0x20; c++)
        {
            if (withTab || c != (byte)'\t')
                controls.Add(c);
        }

        controls.Add(0x7f);
        return [.. controls];
    }

    /// <summary>True for what begins with "HTTP/", in capitals or not (RFC 9112, section 2.3, has capitals only).</summary>
    public static bool StartsWithVersionName(ReadOnlySpan<byte> line) => line.Length >= 5 && EqualsIgnoreCase(line[..5], "HTTP/"u8);
}
