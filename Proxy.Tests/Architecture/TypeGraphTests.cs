namespace TorBalancer.Tests.Architecture;

/// <summary>Files that refer to each other must be read together. Those of Proxy.Core that do are listed, each with its reason.</summary>
public class TypeGraphTests
{
    private static readonly TypeGraph Core = new(Repository.SourcesOf("Proxy.Core"));

    private static readonly TypeGraph Onion = new(Repository.SourcesOf("Proxy.Onion"));

    [Test]
    public void File_circles_are_those_that_are_listed()
    {
        var found = TypeGraph.Circles(Core.Edges).Select(static circle => string.Join(" ", circle));

        Assert.That(found, Is.EquivalentTo(FileCircles.Known.Select(static circle => string.Join(" ", circle.Files))));
    }

    [Test]
    public void Onion_services_have_no_file_circle() =>
        Assert.That(TypeGraph.Circles(Onion.Edges).Select(static circle => string.Join(" ", circle)), Is.Empty);

    [Test]
    public void Folders_and_sub_folders_have_no_circle() =>
        Assert.That(
            TypeGraph.Circles(Core.FolderEdges()).Concat(TypeGraph.Circles(Onion.FolderEdges()))
                .Select(static circle => string.Join(" ", circle)),
            Is.Empty);

    [Test]
    public void Documentation_lists_the_file_circles() => GeneratedTable.Check(
        "docs/architecture.md", "file circles",
        "| Files | Why they belong together |\n|---|---|\n"
        + string.Concat(
            FileCircles.Known.Select(
                static circle => $"| {string.Join(", ", circle.Files.Select(static file => $"`{file}`"))} | {circle.Why} |\n")));

    [Test]
    public void Circles_are_found_through_others_and_partial_files_are_one()
    {
        var graph = new TypeGraph([
            File("A/One.cs", "using TorBalancer.B; \nnamespace TorBalancer.A; class One { Two _two; }"),
            File("B/Two.cs", "namespace TorBalancer.B; partial class Two { }"),
            File("B/Two.More.cs", "namespace TorBalancer.B; partial class Two { Three _three; }"),
            File("B/Three.cs", "using TorBalancer.A;\nnamespace TorBalancer.B; class Three { One _one; class Nested { } }"),
            File("B/Four.cs", "namespace TorBalancer.B; class Four { Three _three; int Nested; }"),
        ]);

        Assert.That(TypeGraph.Circles(graph.Edges), Is.EqualTo(new[] { new[] { "A/One.cs", "B/Three.cs", "B/Two.More.cs" } }));
        Assert.That(TypeGraph.Circles(graph.FolderEdges()), Is.EqualTo(new[] { new[] { "A", "B" } }));
    }

    [Test]
    public void Types_that_cannot_be_seen_and_members_are_no_references()
    {
        var graph = new TypeGraph([
            File("A/One.cs", "namespace TorBalancer.A; class One { int x = other.Two; }"),
            File("A/Two.cs", "namespace TorBalancer.A; class Two { /* One */ string s = \"One\"; Three Three; }"),
            File("B/Three.cs", "namespace TorBalancer.B; class Three { }"),
        ]);

        Assert.That(graph.Edges.Values, Is.All.Empty);
    }

    private static SourceFile File(string path, string text) => new("Proxy.Core", path, text);
}
