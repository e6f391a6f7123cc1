using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace TorBalancer.Daemon.Manual;

/// <summary>
/// A manual page in the macros of man(7), in ASCII. In texts, what stands between backquotes is printed bold: it is to be typed as it is.
/// </summary>
internal sealed partial class ManPage
{
    private readonly StringBuilder _page = new();

    // Behind a heading there is space already.
    private bool _isAtHeading;

    /// <param name="name">As in man NAME.</param>
    /// <param name="section">Of the manual, 1 to 9.</param>
    /// <param name="about">One line without a full stop: what whatis(1) shows.</param>
    /// <param name="version">Of the program.</param>
    /// <param name="date">Of the page, as in 2026-11-30.</param>
    public ManPage(string name, int section, string about, string version, string date)
    {
        string manual = section == 1 ? "User Commands" : "File Formats";
        _page.Append(
            CultureInfo.InvariantCulture,
            $".TH \"{Escape(name.ToUpperInvariant())}\" \"{section}\" \"{date}\" \"torbalancer {version}\" \"{manual}\"\n");
        _page.Append(".nh\n.ad l\n");
        Heading("NAME");
        _page.Append(CultureInfo.InvariantCulture, $"{Escape(name)} \\- {Escape(about)}\n");
    }

    public void Heading(string text) => AppendHeading(".SH", text);

    public void SubHeading(string text) => AppendHeading(".SS", text);

    /// <summary>Paragraphs of running text.</summary>
    public void Text(params ReadOnlySpan<string> paragraphs)
    {
        foreach (string paragraph in paragraphs)
        {
            if (!_isAtHeading)
                _page.Append(".PP\n");
            AppendLines(paragraph);
        }
    }

    /// <summary>A term with what it means, further paragraphs indented like the first.</summary>
    public void Item(string term, params ReadOnlySpan<string> paragraphs)
    {
        _page.Append(".TP\n").Append(Markup(term)).Append('\n');
        for (int i = 0; i < paragraphs.Length; i++)
        {
            if (i > 0)
                _page.Append(".IP\n");
            AppendLines(paragraphs[i]);
        }

        _isAtHeading = false;
    }

    /// <summary>Lines that stay as they are.</summary>
    public void Example(string lines)
    {
        _page.Append(".PP\n.RS 4\n.nf\n");
        foreach (string line in lines.ReplaceLineEndings("\n").Split('\n'))
            _page.Append(Protect(Escape(line))).Append('\n');
        _page.Append(".fi\n.RE\n");
        _isAtHeading = false;
    }

    /// <summary>One form of a call: the words that are typed, then what may follow.</summary>
    public void Synopsis(string call)
    {
        if (!_isAtHeading)
            _page.Append(".br\n");
        _page.Append(Markup(call)).Append('\n');
        _isAtHeading = false;
    }

    public override string ToString() => _page.ToString();

    /// <summary>One sentence a line, as troff wants it for the space between them.</summary>
    private void AppendLines(string text)
    {
        foreach (string sentence in SentenceEnd().Split(text.ReplaceLineEndings(" ")))
            _page.Append(Protect(Markup(sentence))).Append('\n');
        _isAtHeading = false;
    }

    private void AppendHeading(string macro, string text)
    {
        _page.Append(CultureInfo.InvariantCulture, $"{macro} \"{Escape(text)}\"\n");
        _isAtHeading = true;
    }

    private static string Markup(string text)
    {
        var marked = new StringBuilder();
        string[] parts = text.Split('`');
        for (int i = 0; i < parts.Length; i++)
        {
            if (parts[i].Length == 0)
                continue;
            if (i % 2 == 0)
                marked.Append(Escape(parts[i]));
            else
                marked.Append("\\fB").Append(Escape(parts[i])).Append("\\fR");
        }

        return marked.ToString();
    }

    /// <summary>A dot or an apostrophe at the start of a line would be taken for a request.</summary>
    private static string Protect(string line) => line.StartsWith('.') || line.StartsWith('\'') ? "\\&" + line : line;

    /// <summary>Plain text as troff prints it: every dash one that can be copied, every quote straight.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length + 16);
        foreach (var rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '\\':
                    escaped.Append("\\e");
                    break;
                case '-':
                    escaped.Append("\\-");
                    break;
                case '"':
                    escaped.Append("\\(dq");
                    break;
                case '\'':
                    escaped.Append("\\(aq");
                    break;
                case '`':
                    escaped.Append("\\(ga");
                    break;
                case '^':
                    escaped.Append("\\(ha");
                    break;
                case '~':
                    escaped.Append("\\(ti");
                    break;
                case '…':
                    escaped.Append("...");
                    break;
                case < 128:
                    escaped.Append((char)rune.Value);
                    break;
                default:
                    escaped.Append(CultureInfo.InvariantCulture, $"\\[u{rune.Value:X4}]");
                    break;
            }
        }

        return escaped.ToString();
    }

    [GeneratedRegex(@"(?<=[a-z0-9)`][.:]) (?=[A-Z`$])", RegexOptions.CultureInvariant)]
    private static partial Regex SentenceEnd();
}
