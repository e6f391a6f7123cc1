using System.Text.RegularExpressions;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Packaging;

/// <summary>eng/release.sh and eng/package.sh before they build anything, and what a release is said to be made of.</summary>
[CancelAfter(60_000)]
public partial class ReleaseScriptTests
{
    [TestCase("eng/release.sh", "mips")]
    [TestCase("eng/release.sh", "x64", "arm64")]
    [TestCase("eng/package.sh", "x64")]
    [TestCase("eng/package.sh", "amd64", "folder", "further")]
    public async Task Script_says_how_it_is_called(string script, params string[] arguments)
    {
        var run = await RunAsync([], script, arguments);

        Assert.That((run.ExitCode, run.Output), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.StartWith($"usage: {script} ["));
    }

    /// <summary>It would build for minutes, and then put nothing there.</summary>
    [TestCase("eng/release.sh")]
    [TestCase("eng/package.sh", "amd64", "artifacts/of-nobody")]
    public async Task Script_says_at_once_that_it_cannot_write_there(string script, params string[] arguments)
    {
        await OtherUser.RequireAsync(TestContext.CurrentContext.CancellationToken);

        var run = await RunAsync(OtherUser.Under, script, arguments);

        Assert.That((run.ExitCode, run.Output), Is.EqualTo((1, "")), run.Error);
        Assert.That(run.Error, Does.Contain($"cannot be written to by this user ({OtherUser.Id})"));
    }

    /// <summary>Otherwise a package is made of a release whose sources have changed since.</summary>
    [Test]
    public async Task Release_is_stale_when_a_source_of_any_of_its_projects_is_newer(
        [ValueSource(nameof(ReleasedProjects))] string project, CancellationToken token)
    {
        string tree = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;
        try
        {
            foreach (string folder in ReleasedProjects().Append("eng"))
                Directory.CreateDirectory(Path.Combine(tree, folder));
            string release = Path.Combine(tree, "release"), source = Path.Combine(tree, project, "A.cs");
            await File.WriteAllTextAsync(Path.Combine(tree, "Directory.Build.props"), "", token);
            await File.WriteAllTextAsync(source, "", token);
            await File.WriteAllTextAsync(release, "", token);
            var built = File.GetLastWriteTimeUtc(release);
            File.SetLastWriteTimeUtc(source, built.AddHours(-1));
            File.SetLastWriteTimeUtc(Path.Combine(tree, "Directory.Build.props"), built.AddHours(-1));
            string ask = $". {Path.Combine(Repository.Root, "eng/setup.sh")}; is_stale release && echo stale || echo fresh";

            var before = await ClientProcess.RunAsync("bash", ["-c", ask], token, directory: tree);
            File.SetLastWriteTimeUtc(source, built.AddHours(1));
            var behind = await ClientProcess.RunAsync("bash", ["-c", ask], token, directory: tree);

            Assert.That((before.Output, behind.Output), Is.EqualTo(("fresh\n", "stale\n")), before.Error + behind.Error);
        }
        finally
        {
            Directory.Delete(tree, recursive: true);
        }
    }

    /// <summary>Each library that is linked in, and none that no longer is.</summary>
    [Test]
    public void Copyright_names_each_library_of_the_program()
    {
        var linked = ReleasedProjects().SelectMany(static project => Package().Matches(Repository.Text($"{project}/{project}.csproj")))
            .Select(static match => match.Groups[1].Value);
        var named = Comment().Matches(Repository.Text("packaging/debian/copyright"))
            .SelectMany(static match => match.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries));

        Assert.That(named, Is.EquivalentTo(linked.Append(".NET").Append("ASP.NET Core").Distinct()));
    }

    /// <summary>The daemon's project, and those that it refers to.</summary>
    private static string[] ReleasedProjects() =>
    [
        "Proxy.Daemon",
        .. Project().Matches(Repository.Text("Proxy.Daemon/Proxy.Daemon.csproj")).Select(static match => match.Groups[1].Value),
    ];

    /// <summary>From another folder than the tree's.</summary>
    private static Task<ClientResult> RunAsync(string[] under, string script, string[] arguments)
    {
        string[] line = [.. under, "bash", Path.Combine(Repository.Root, script), .. arguments];
        return ClientProcess.RunAsync(line[0], line[1..], TestContext.CurrentContext.CancellationToken, directory: "/");
    }

    [GeneratedRegex("<PackageReference Include=\"([^\"]+)\" />")]
    private static partial Regex Package();

    [GeneratedRegex("<ProjectReference Include=\"[^\"]*/([^/\"]+)\\.csproj\"")]
    private static partial Regex Project();

    [GeneratedRegex("(?<=License: [^\\n]+\\n)Comment: ([^\\n]+)")]
    private static partial Regex Comment();
}
