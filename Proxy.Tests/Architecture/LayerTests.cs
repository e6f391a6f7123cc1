using System.Text.RegularExpressions;

namespace TorBalancer.Tests.Architecture;

/// <summary>Which folder of a library may name which. The same tables, for people, are in docs/architecture.md.</summary>
public class LayerTests
{
    private static readonly LayerTable Core = new(
        "Proxy.Core",
        ("Primitives", []),
        ("Interop", []),
        ("Processes", ["Interop"]),
        ("Transport", ["Primitives", "Interop"]),
        ("Configuration", ["Primitives", "Interop"]),
        ("Protocols", ["Primitives", "Transport"]),
        ("Authentication", ["Primitives", "Interop", "Configuration", "Protocols"]),
        ("Workers", ["Primitives", "Configuration", "Transport"]),
        ("Routing", ["Primitives", "Configuration", "Protocols"]),
        ("Balancing", ["Primitives", "Configuration", "Workers"]),
        ("TorControl", ["Primitives", "Interop", "Configuration", "Transport", "Workers"]),
        ("Connecting", ["Primitives", "Transport", "Configuration", "Protocols", "Workers", "Routing", "Balancing", "TorControl"]),
        ("Forwarding", ["Primitives", "Transport", "Protocols", "Connecting"]),
        (
            "Health",
            ["Primitives", "Interop", "Transport", "Configuration", "Protocols", "Workers", "Balancing", "TorControl", "Connecting"]),
        (
            "Server",
            [
                "Primitives", "Transport", "Configuration", "Protocols", "Authentication", "Workers", "Routing", "TorControl", "Connecting",
                "Forwarding",
            ]),
        (
            "Admin",
            [
                "Primitives", "Processes", "Transport", "Configuration", "Protocols", "Authentication", "Workers", "Balancing",
                "TorControl", "Connecting", "Health", "Server",
            ]),
        (
            "DependencyInjection",
            [
                "Primitives", "Interop", "Processes", "Transport", "Configuration", "Protocols", "Authentication", "Workers", "Routing",
                "Balancing", "TorControl", "Connecting", "Forwarding", "Health", "Server", "Admin",
            ]));

    private static readonly LayerTable Onion = new(
        "Proxy.Onion",
        ("Crypto", []),
        ("Keys", ["Crypto"]),
        ("Network", ["Crypto", "Keys"]),
        ("Descriptors", ["Crypto", "Keys"]),
        ("Publishing", ["Crypto", "Keys", "Network", "Descriptors"]),
        ("Inspection", ["Crypto", "Keys", "Network", "Descriptors"]),
        ("Importing", ["Keys"]));

    private static readonly string[] Libraries = [Core.Project, Onion.Project];

    // The libraries are independent of who hosts and who logs.
    private static readonly string[] ForeignToLibraries =
    [
        "TorBalancer.Daemon", "TorBalancer.Testnet", "NLog", "Microsoft.Extensions.Hosting", "Microsoft.AspNetCore", "System.CommandLine",
    ];

    [TestCaseSource(nameof(Libraries))]
    public void Table_names_lower_rows_only(string project) => Assert.Multiple(() =>
    {
        var table = TableOf(project);
        for (int row = 0; row < table.Rows.Count; row++)
            Assert.That(table.Rows[row].MayName, Is.SubsetOf(table.Folders.Take(row)), table.Rows[row].Folder);
    });

    [TestCaseSource(nameof(Libraries))]
    public void Every_folder_is_in_the_table_and_every_row_is_a_folder(string project)
    {
        var table = TableOf(project);
        var found = table.Sources.Select(static file => file.Layer).Distinct();

        Assert.That(found, Is.EquivalentTo(table.Folders));
    }

    [TestCaseSource(nameof(Libraries))]
    public void Folders_name_only_what_their_row_allows(string project) =>
        Assert.That(TableOf(project).Violations(), Is.Empty);

    [TestCaseSource(nameof(Libraries))]
    public void Libraries_name_neither_host_nor_logger(string project) => Assert.Multiple(() =>
    {
        var table = TableOf(project);
        foreach (var file in table.Sources)
        {
            foreach (string foreign in ForeignToLibraries)
                Assert.That(file.Code, Does.Not.Match($@"\b{Regex.Escape(foreign)}\b"), $"{file} names {foreign}");
        }
    });

    [Test]
    public void Core_does_not_know_the_onion_side() =>
        Assert.That(Core.Sources.Where(static file => file.Code.Contains("TorBalancer.Onion", StringComparison.Ordinal)), Is.Empty);

    [TestCaseSource(nameof(Libraries))]
    public void Documentation_shows_the_table(string project)
    {
        var table = TableOf(project);
        string page = Repository.Text("docs/architecture.md");

        foreach (var (folder, mayName) in table.Rows)
        {
            string names = string.Join(", ", mayName);
            if (mayName.Length == 0)
                names = "nothing of ours";
            else if (mayName.Length == table.Rows.Count - 1)
                names = "all";
            Assert.That(page, Does.Contain($"| {folder} | {names} |"));
        }
    }

    [Test]
    public void FoldersNamedIn_sees_usings_and_qualified_names()
    {
        var file = new SourceFile("Proxy.Core", "Primitives/X.cs", """
            using TorBalancer.Server;
            using static TorBalancer.Workers.WorkerPool;
            namespace TorBalancer.Primitives;
            class X { global::TorBalancer.Routing.RouteTable A; Connecting.RetryConnector B; int Count => options.Balancing.Count; }
            """);

        Assert.That(Core.FoldersNamedIn(file), Is.EquivalentTo(["Server", "Workers", "Primitives", "Routing", "Connecting"]));
    }

    private static LayerTable TableOf(string project) => project == Core.Project ? Core : Onion;
}
