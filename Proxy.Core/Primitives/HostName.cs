using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace TorBalancer.Primitives;

/// <summary>
/// The canonical form of host names: lower-case ASCII without the root dot. It is made once, where a name comes in, and
/// everything behind that compares and sends it as it is. What tor would not take, or take for something else, is none.
/// </summary>
internal static class HostName
{
    /// <summary>
    /// Characters without the root dot: 255 octets with the lengths of the labels and of the root (RFC 1035, sections 2.3.4 and 3.1).
    /// </summary>
    public const int MaxLength = 253;

    /// <summary>RFC 1035, section 2.3.4.</summary>
    public const int MaxLabelLength = 63;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>
    /// Takes a name in any letter case, with or without the root dot. False when it is no host name; then
    /// <paramref name="problem"/> says why, without repeating any of it. Labels consist of letters, digits, '-' and '_', and
    /// do not begin with one of the last two: tor answers anything else with a general failure
    /// (its string_is_valid_nonstrict_hostname). Nothing is mapped: a name beyond ASCII travels as A-labels (RFC 5890, section
    /// 2.3.2.1), which its user's program makes, because IDNA 2003 and 2008 make different ones of some.
    /// </summary>
    public static bool TryCreate(ReadOnlySpan<char> text, [NotNullWhen(true)] out string? name, [NotNullWhen(false)] out string? problem)
    {
        name = null;
        if (text.Length > 0 && text[^1] == '.')
            text = text[..^1];
        if (text.Length is 0 or > MaxLength)
        {
            problem = text.IsEmpty ? "a host name without a label" : "a host name of more than 253 characters (RFC 1035)";
            return false;
        }

        Span<char> lower = stackalloc char[MaxLength];
        int label = 0;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '.')
            {
                problem = CheckLabel(label);
                if (problem is not null)
                    return false;
                label = 0;
            }
            else if (char.IsAsciiLetterOrDigit(c) || (c is '-' or '_' && label > 0))
            {
                label++;
            }
            else
            {
                problem = c > 0x7f ? "a host name beyond ASCII; send its A-labels, xn--… (RFC 5890)"
                    : c is '-' or '_' ? "a host name with a label that begins with '-' or '_'"
                    : "a character that no host name has";
                return false;
            }

            lower[i] = char.ToLowerInvariant(c);
        }

        problem = CheckLabel(label);
        if (problem is not null)
            return false;
        name = new string(lower[..text.Length]);
        return true;
    }

    /// <summary>
    /// True when the last label of a canonical name is a number, decimal or hexadecimal (URL Standard, "ends in a number").
    /// </summary>
    public static bool EndsInNumber(ReadOnlySpan<char> name)
    {
        var last = name[(name.LastIndexOf('.') + 1)..];
        return last.StartsWith("0x", StringComparison.Ordinal)
            ? !last[2..].ContainsAnyExcept(HexDigits)
            : !last.ContainsAnyExceptInRange('0', '9');
    }

    /// <summary>True for the domain itself and every name below it; both canonical.</summary>
    public static bool IsWithin(ReadOnlySpan<char> name, ReadOnlySpan<char> domain) =>
        name.EndsWith(domain, StringComparison.Ordinal) && (name.Length == domain.Length || name[name.Length - domain.Length - 1] == '.');

    private static string? CheckLabel(int length) => length switch
    {
        0 => "a host name with an empty label",
        > MaxLabelLength => "a host name with a label of more than 63 characters (RFC 1035)",
        _ => null,
    };
}
