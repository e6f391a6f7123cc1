namespace TorBalancer.Tests.Architecture;

/// <summary>A table of the documentation that is made from the code, between two comments with its name.</summary>
internal static class GeneratedTable
{
    /// <summary>Asserts that the page holds the table; with UPDATE_DOCS=1 writes it there.</summary>
    public static void Check(string page, string name, string table)
    {
        string text = Repository.Text(page);
        string expected = Insert(text, name, table);
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            File.WriteAllText(Path.Combine(Repository.Root, page), expected);
        else
            Assert.That(text, Is.EqualTo(expected));
    }

    private static string Insert(string page, string name, string table)
    {
        string begin = $"<!-- {name} -->", end = $"<!-- end of {name} -->";
        int from = page.IndexOf(begin, StringComparison.Ordinal), to = page.IndexOf(end, StringComparison.Ordinal);
        if (from < 0 || to < from)
            throw new FormatException($"there is no place for the table: {begin} and {end}");
        return $"{page[..from]}{begin}\n\n{table}\n{page[to..]}";
    }
}
