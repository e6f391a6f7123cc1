using System.Text;
using CsCheck;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl;

public class ControlPropertyTests
{
    private static readonly Gen<char> NoLineEnd = Properties.Latin1.Where(static c => c is not ('\r' or '\n'));

    private static readonly Gen<string> Line = Gen.String[NoLineEnd, 0, 40];

    private static readonly Gen<(string Text, string[]? Data)[]> Lines =
        Gen.Select(Line, Gen.Bool, Gen.String[Gen.OneOf(NoLineEnd, Gen.Const('.')), 0, 20].Array[0, 4])
            .Select(static one => (one.Item1, one.Item2 ? one.Item3 : null)).Array[0, 5];

    [Test]
    public void Quoted_string_is_what_was_quoted() => Gen.String[0, 40].Where(IsText).Holds(static text =>
        ControlString.TryUnquote(ControlString.Quote(text) + " rest", out string? value, out int consumed)
        && ControlString.ToUtf8(value) == text && consumed == ControlString.Quote(text).Length);

    /// <summary>As tor writes them: values in quotes, keys as words.</summary>
    [Test]
    public void Keywords_that_are_written_are_the_same_when_they_are_read() =>
        Gen.Select(Properties.Label.Where(static key => !key.Contains('-')), Properties.AnyText).Array[0, 6].Holds(static pairs =>
        {
            var distinct = pairs.DistinctBy(static pair => pair.Item1).ToArray();
            string text = string.Join(' ', distinct.Select(static pair => $"{pair.Item1}={Quoted(pair.Item2)}"));
            var keywords = new ControlTokens(text).Keywords();
            return keywords.Count == distinct.Length && distinct.All(pair => keywords[pair.Item1] == pair.Item2);
        });

    /// <summary>Of all three kinds of lines, in one piece and byte by byte; a dot that begins a data line is doubled.</summary>
    [Test]
    public void Reply_that_is_written_is_the_same_when_it_is_read() =>
        Gen.Select(Lines, Line, Gen.Int[200, 599]).Holds(static one =>
        {
            var (lines, last, code) = one;
            byte[] bytes = Encoding.Latin1.GetBytes(Written(lines, last, code));
            ControlReplyLine[] expected =
            [
                .. lines.Select(static line => new ControlReplyLine(line.Text, line.Data is null ? null : Joined(line.Data))),
                new ControlReplyLine(last),
            ];
            return Read(bytes, bytes.Length) is { } whole && whole.Code == code && whole.Lines.SequenceEqual(expected)
                && Read(bytes, 1) is { } single && single.Lines.SequenceEqual(expected);
        });

    private static string Joined(string[] data) => string.Concat(data.Select(static line => line + "\n"));

    private static string Written((string Text, string[]? Data)[] lines, string last, int code)
    {
        var text = new StringBuilder();
        foreach (var (line, data) in lines)
        {
            text.Append(code).Append(data is null ? '-' : '+').Append(line).Append("\r\n");
            if (data is null)
                continue;
            foreach (string one in data)
                text.Append(one.StartsWith('.') ? "." : "").Append(one).Append("\r\n");
            text.Append(".\r\n");
        }

        return text.Append(code).Append(' ').Append(last).Append("\r\n").ToString();
    }

    private static ControlReply? Read(byte[] bytes, int size)
    {
        var parser = new ControlProtocolParser();
        int start = 0;
        for (int end = size; end <= bytes.Length; end += size)
        {
            var buffer = new System.Buffers.ReadOnlySequence<byte>(bytes, start, end - start);
            if (parser.TryRead(ref buffer, out var reply))
                return buffer.IsEmpty && end == bytes.Length ? reply : null;
            start = end - (int)buffer.Length;
        }

        return null;
    }

    private static string Quoted(string value) => $"\"{value.Replace("\\", "\\\\").Replace("\"", "\\\"")}\"";

    // A lone surrogate is no text in any encoding.
    private static bool IsText(string text) => text == Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
