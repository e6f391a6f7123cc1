using System.Text;
using System.Text.RegularExpressions;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Tests.Configuration.Schema;

/// <summary>Writes the reference tables of docs/configuration.md from the schema, each between two marks.</summary>
internal static partial class SchemaTables
{
    public static string Insert(string document, ConfigurationSchema schema)
    {
        foreach (var section in schema.Sections)
        {
            string begin = $"<!-- keys of {section.Name} -->", end = $"<!-- end of {section.Name} -->";
            int from = document.IndexOf(begin, StringComparison.Ordinal), to = document.IndexOf(end, StringComparison.Ordinal);
            if (from < 0 || to < from)
                throw new FormatException($"docs/configuration.md has no place for [{section.Name}]: {begin} and {end}");
            document = $"{document[..from]}{begin}\n\n{Render(section)}\n{document[to..]}";
        }

        return document;
    }

    private static string Render(SchemaSection section)
    {
        var table = new StringBuilder("| Key | Default | Allowed | Reload | What it is |\n|---|---|---|---|---|\n");
        foreach (var key in section.Keys)
        {
            string value = key.Default.Length == 0 ? "" : $"`{key.Default}`";
            string reload = key.NeedsRestart ? "restart" : "live";
            table.Append($"| `{key.Name}` | {value} | {Cell(key.Allowed)} | {reload} | {Cell(key.Description)} |\n");
        }

        return table.ToString();
    }

    private static string Cell(string text) => Special().Replace(text, "\\$0");

    [GeneratedRegex(@"[|*<>\[\]]|(?<= )_")]
    private static partial Regex Special();
}
