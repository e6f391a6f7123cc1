using System.Globalization;
using System.Text;

namespace TorBalancer.Daemon.Terminal;

/// <summary>One field of a table.</summary>
internal readonly record struct Cell(string Text, Tone Tone = Tone.Plain)
{
    public static implicit operator Cell(string? text) => new(text ?? "-");

    public static implicit operator Cell(long number) => new(number.ToString(CultureInfo.InvariantCulture));

    public static Cell FromString(string? text) => text;

    public static Cell FromInt64(long number) => number;
}

/// <summary>
/// Columns that stand under one another. What comes from the daemon is made printable: a name could hold control characters.
/// </summary>
/// <param name="columns">The heads; one that begins with > has its column set to the right.</param>
internal sealed class TextTable(params string[] columns)
{
    private const string Gap = "  ";

    private readonly List<Cell[]> _rows = [];

    public int Count => _rows.Count;

    public void Add(params Cell[] cells) => _rows.Add([.. cells.Select(static cell => cell with { Text = Printable.Of(cell.Text) })]);

    /// <summary>The heads, then the rows.</summary>
    /// <param name="width">Columns of the terminal: what goes beyond is cut; 0: nothing is.</param>
    public IEnumerable<string> Lines(TextStyle style, int width = 0)
    {
        int[] widths = [.. columns.Select((column, i) => Math.Max(Head(column).Length, Widest(i)))];
        yield return style.Paint(Cut(Line([.. columns.Select(static column => (Cell)Head(column))], widths, default), width), Tone.Dim);
        foreach (var row in _rows)
        {
            string plain = Line(row, widths, default);
            yield return width == 0 || plain.Length <= width ? Line(row, widths, style) : Cut(plain, width);
        }
    }

    private int Widest(int column) => _rows.Count == 0 ? 0 : _rows.Max(row => column < row.Length ? row[column].Text.Length : 0);

    private string Line(Cell[] cells, int[] widths, TextStyle style)
    {
        var line = new StringBuilder();
        for (int i = 0; i < cells.Length; i++)
        {
            if (i > 0)
                line.Append(Gap);
            string space = new(' ', Math.Max(0, widths[i] - cells[i].Text.Length));
            bool toRight = columns[i].StartsWith('>');
            if (toRight)
                line.Append(space);
            line.Append(style.Paint(cells[i].Text, cells[i].Tone));
            if (!toRight && i < cells.Length - 1)
                line.Append(space);
        }

        return line.ToString();
    }

    private static string Head(string column) => column.TrimStart('>');

    /// <param name="width">Columns; 0: nothing is cut.</param>
    internal static string Cut(string line, int width) => width == 0 || line.Length <= width ? line : line[..(width - 1)] + "…";
}
