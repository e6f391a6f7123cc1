using System.Globalization;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Doctor;

namespace TorBalancer.Tests.Architecture;

/// <summary>The tables of docs/command-line.md are those of the program.</summary>
public class CommandLineDocumentationTests
{
    private const string Page = "docs/command-line.md";

    [Test]
    public void Docs_tables_show_every_exit_code() => GeneratedTable.Check(
        Page, "exit codes",
        "| Code | Meaning |\n|---|---|\n" + string.Concat(
            ExitCodes.All.Select(static one => string.Create(CultureInfo.InvariantCulture, $"| {one.Code} | {one.Meaning} |\n"))));

    [Test]
    public void Docs_tables_show_every_check_of_the_doctor() => GeneratedTable.Check(
        Page, "doctor",
        "| Check | It looks for |\n|---|---|\n"
            + string.Concat(DoctorChecks.All.Select(static one => $"| `{one.Name}` | {one.About} |\n")));

    [Test]
    public void Checks_have_names_of_their_own() =>
        Assert.That(DoctorChecks.All.Select(static check => check.Name), Is.Unique);
}
