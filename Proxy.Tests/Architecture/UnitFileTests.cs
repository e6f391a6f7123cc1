using System.Text.RegularExpressions;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Architecture;

public partial class UnitFileTests
{
    [Test]
    public void TimeoutStopSec_leaves_time_for_draining_and_for_what_follows()
    {
        var match = StopTimeout().Match(Repository.Text("systemd/torbalancer.service"));

        Assert.That(match.Success, Is.True);
        var stop = TimeSpan.FromSeconds(int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));

        // Behind the drain time stands the host's own limit (30 s more), and the workers stop in stages of 5 s.
        Assert.That(stop, Is.GreaterThanOrEqualTo(new TunnelOptions().DrainTimeout + TimeSpan.FromSeconds(30 + 15)));
    }

    /// <summary>What one kind of kernel needs for one kind of worker is a drop-in.</summary>
    [TestCase("torbalancer")]
    [TestCase("torbalancer-publish")]
    public void Unit_gives_no_capability(string unit) =>
        Assert.That(
            Repository.Text($"systemd/{unit}.service")
                .Split('\n')
                .Where(static line => line.Contains("Capabilit", StringComparison.Ordinal) && line[0] != '#'),
            Is.EqualTo(new[] { "CapabilityBoundingSet=", "AmbientCapabilities=" }));

    /// <summary>An address may be missing for minutes after a boot; the unit tries until it is there.</summary>
    [TestCase("torbalancer")]
    [TestCase("torbalancer-publish")]
    public void Unit_never_gives_up_and_does_not_spin(string unit)
    {
        string[] lines = Repository.Text($"systemd/{unit}.service").Split('\n');

        Assert.That(lines[..Array.IndexOf(lines, "[Service]")], Does.Contain("StartLimitIntervalSec=0"));
        Assert.That(lines, Does.Contain("RestartSec=5s"));
    }

    [TestCase("torbalancer")]
    [TestCase("torbalancer-publish")]
    public void Unit_runs_as_the_user_that_the_package_makes(string unit)
    {
        string[] lines = Repository.Text($"systemd/{unit}.service").Split('\n');

        Assert.That(lines, Does.Contain($"User={unit}").And.Contain($"Group={unit}"));
        Assert.That(Repository.Text("packaging/debian/postinst"), Does.Match($@"adduser .*--system --group .* {unit}\n"));
    }

    /// <summary>systemd's own judgement, from 0 (nothing can happen) to 10: what a change of the unit must not make worse.</summary>
    [TestCase("torbalancer", 15), CancelAfter(60_000)]
    [TestCase("torbalancer-publish", 15)]
    public Task Unit_is_exposed_to_no_more_than_it_needs(string unit, int most, CancellationToken token) =>
        AnalyzeAsync(unit, ["security", "--no-pager", "--offline=true", $"--threshold={most}"], token);

    [TestCase("torbalancer"), CancelAfter(60_000)]
    [TestCase("torbalancer-publish")]
    public async Task Unit_is_what_systemd_understands(string unit, CancellationToken token)
    {
        var verified = await AnalyzeAsync(unit, ["verify", "--man=no"], token);

        Assert.That(verified.Error, Is.Empty);
    }

    private static async Task<ProgramResult> AnalyzeAsync(string unit, string[] arguments, CancellationToken token)
    {
        string directory = Directory.CreateTempSubdirectory("tbu").FullName;
        try
        {
            // It checks that the program is there.
            string file = Path.Combine(directory, $"{unit}.service");
            await File.WriteAllTextAsync(
                file,
                Repository.Text($"systemd/{unit}.service")
                    .Replace("/usr/bin/torbalancer", ClientProcess.Require("true"), StringComparison.Ordinal),
                token);
            var analyzed = await ProgramRun.RunAsync(ClientProcess.Require("systemd-analyze"), [.. arguments, file], token);

            Assert.That(analyzed.ExitCode, Is.Zero, analyzed.Output + analyzed.Error);
            return analyzed;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [GeneratedRegex(@"^TimeoutStopSec=(\d+)s$", RegexOptions.Multiline)]
    private static partial Regex StopTimeout();
}
