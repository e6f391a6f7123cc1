using System.Globalization;
using System.Text;

namespace TorBalancer.Benchmarks.SideBySide.Measuring;

/// <summary>A table for people and for GitHub: the first column to the left, numbers to the right.</summary>
internal sealed class MarkdownTable(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>A number with three significant digits; a dash for what was not measured.</summary>
    public static string Number(double? value) => value switch
    {
        null => "–",
        { } number when !double.IsFinite(number) => "–",
        { } number when Math.Abs(number) >= 100 => number.ToString("N0", CultureInfo.InvariantCulture),
        { } number when Math.Abs(number) >= 10 => number.ToString("F1", CultureInfo.InvariantCulture),
        { } number when Math.Abs(number) >= 1 => number.ToString("F2", CultureInfo.InvariantCulture),
        { } number => number.ToString("F3", CultureInfo.InvariantCulture),
    };

    public static string Percent(double value) =>
        value.ToString("P0", CultureInfo.InvariantCulture).Replace(" ", "", StringComparison.Ordinal);

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0
            ? double.NaN
            : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        int[] widths =
        [
            .. headers.Select((header, column) => Math.Max(3, _rows.Select(row => row[column].Length).Append(header.Length).Max())),
        ];
        Line(headers);
        text.Append('|')
            .AppendJoin(
                '|', widths.Select(static (width, column) => column == 0 ? new string('-', width + 2) : new string('-', width + 1) + ":"))
            .Append("|\n");
        foreach (string[] row in _rows)
            Line(row);
        return text.ToString();

        void Line(string[] cells) =>
            text.Append("| ")
                .AppendJoin(
                    " | ", cells.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column])))
                .Append(" |\n");
    }
}
