using System.Buffers;

namespace TorBalancer.TorControl.Syntax;

/// <summary>A relay as control messages name it: <c>$FINGERPRINT~nickname</c> (LongName in control-spec).</summary>
/// <param name="Fingerprint">40 upper-case hex digits without the dollar sign; empty when only a nickname was given.</param>
/// <param name="Nickname">Chosen by its operator and not unique; null when not given.</param>
internal readonly record struct RelayName(string Fingerprint, string? Nickname)
{
    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdefABCDEF");

    /// <summary>Reads <c>$FP~nick</c>, <c>$FP=nick</c> (old), <c>$FP</c>, <c>FP</c> or <c>nick</c>. Any text is taken.</summary>
    public static RelayName Parse(ReadOnlySpan<char> text)
    {
        bool dollar = text.StartsWith("$");
        if (dollar)
            text = text[1..];
        int split = text.IndexOfAny('~', '=');
        var first = split < 0 ? text : text[..split];
        string? nickname = split < 0 ? null : text[(split + 1)..].ToString();
        return dollar || IsFingerprint(first)
            ? new RelayName(first.ToString().ToUpperInvariant(), nickname)
            : new RelayName("", text.ToString());
    }

    /// <summary>Reads a path: relays separated by commas, the guard first.</summary>
    public static IReadOnlyList<RelayName> ParsePath(ReadOnlySpan<char> text)
    {
        var path = new List<RelayName>(3);
        foreach (var part in text.Split(','))
        {
            if (!text[part].IsEmpty)
                path.Add(Parse(text[part]));
        }

        return path;
    }

    public override string ToString() =>
        Fingerprint.Length == 0 ? Nickname ?? "" : Nickname is null ? "$" + Fingerprint : $"${Fingerprint}~{Nickname}";

    private static bool IsFingerprint(ReadOnlySpan<char> text) => text.Length == 40 && !text.ContainsAnyExcept(Hex);
}
