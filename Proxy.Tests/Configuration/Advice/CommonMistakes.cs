using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Tests.Architecture;

namespace TorBalancer.Tests.Configuration.Advice;

/// <summary>What must be said of a line.</summary>
/// <param name="Line">0: of no line.</param>
/// <param name="IsWarning">Not an error.</param>
/// <param name="Texts">Each must be in the message.</param>
internal sealed record ExpectedIssue(int Line, bool IsWarning, List<string> Texts);

/// <summary>One block of common-mistakes.txt.</summary>
internal sealed record Mistake(string Text, List<ExpectedIssue> Issues);

/// <summary>Reads common-mistakes.txt; the file says how it is written.</summary>
internal static partial class CommonMistakes
{
    private const string File = "Proxy.Tests/Configuration/Advice/common-mistakes.txt";

    public static IReadOnlyList<Mistake> All { get; } = [.. Repository.Text(File).Split("\n\n").Skip(1).Select(Block)];

    private static Mistake Block(string block)
    {
        var text = new List<string>();
        var issues = new List<ExpectedIssue>();
        string plain = Invisible().Replace(block, static code =>
            ((char)int.Parse(code.ValueSpan[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString());
        foreach (string line in plain.Trim('\n').Split('\n'))
        {
            if (!line.StartsWith("-> ", StringComparison.Ordinal) && !line.StartsWith("~> ", StringComparison.Ordinal))
                text.Add(line);
            else if (Numbered().Match(line) is { Success: true } first)
            {
                issues.Add(new ExpectedIssue(int.Parse(first.Groups[1].ValueSpan, CultureInfo.InvariantCulture), line[0] == '~',
                    [first.Groups[2].Value]));
            }
            else
                issues[^1].Texts.Add(line[3..]);
        }

        return new Mistake(string.Join('\n', text), issues);
    }

    [GeneratedRegex(@"^.> (\d+): (.*)$")]
    private static partial Regex Numbered();

    [GeneratedRegex(@"\\u[0-9A-F]{4}")]
    private static partial Regex Invisible();
}
