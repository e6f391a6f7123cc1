using System.Globalization;
using System.Text;

namespace TorBalancer.Fuzz;

/// <summary>The inputs that a target begins with, and the words of its format, as they lie in the repository.</summary>
internal static class Corpus
{
    /// <summary>Every file of a folder, by name.</summary>
    public static IReadOnlyList<(string Name, byte[] Bytes)> Read(string folder) =>
    [
        .. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)
            .Select(static path => (Path.GetFileName(path), File.ReadAllBytes(path))),
    ];

    /// <summary>
    /// The words of a dictionary of afl-fuzz: lines <c>name="text"</c> or <c>"text"</c>, with \xNN, \" and \\ in it, and comments (#).
    /// </summary>
    public static IReadOnlyList<byte[]> ReadWords(string dictionary) =>
        [.. dictionary.Split('\n').Select(static line => line.Trim()).Where(static line => line is not ("" or ['#', ..])).Select(Word)];

    private static byte[] Word(string line)
    {
        int from = line.IndexOf('"') + 1;
        if (from == 0 || line.Length <= from || line[^1] != '"')
            throw new FormatException($"no word of a dictionary: {line}");
        string text = line[from..^1];
        var bytes = new List<byte>();
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] != '\\')
            {
                bytes.AddRange(Encoding.UTF8.GetBytes([text[at]]));
            }
            else if (text[++at] == 'x')
            {
                bytes.Add(byte.Parse(text.AsSpan(at + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                at += 2;
            }
            else
            {
                bytes.Add((byte)text[at]);
            }
        }

        return [.. bytes];
    }
}
