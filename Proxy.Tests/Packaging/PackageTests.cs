using System.Runtime.InteropServices;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Packaging;

/// <summary>
/// The Debian package and the container's image in a fresh root of Debian, which needs the mirror that apt of this machine uses:
/// eng/package-test.sh and eng/container-test.sh say what is done there. The program in it is the release where there is one of these
/// sources, or what TORBALANCER_EXE names, or else the one beside the tests, which cannot run in that root.
/// </summary>
public class PackageTests
{
    private const int ExitSkipped = 77;

    [Test, CancelAfter(480_000), Category("Native")]
    public Task Package_installs_upgrades_and_purges_in_a_fresh_root(CancellationToken token) => RunAsync("eng/package-test.sh", token);

    /// <summary>Not Native: it is the release anyhow, where there is one.</summary>
    [Test, CancelAfter(540_000)]
    public Task Image_is_made_and_runs_as_the_Containerfile_says(CancellationToken token) => RunAsync("eng/container-test.sh", token);

    private static async Task RunAsync(string script, CancellationToken token)
    {
        ClientProcess.Require("mmdebstrap");
        var environment = new Dictionary<string, string>
        {
            ["TORBALANCER_EXE"] = Executable(),

            // A runtime that lives in the home directory is found by the name it has there.
            ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..")),
        };

        var run = await ClientProcess.RunAsync(Path.Combine(Repository.Root, script), [], token, environment);

        TestContext.Out.WriteLine(run.Output);
        if (run.ExitCode == ExitSkipped)
            Assert.Ignore($"skipped: {run.Error}");
        Assert.That(run.ExitCode, Is.Zero, run.Output + run.Error);
    }

    private static string Executable()
    {
        if (Environment.GetEnvironmentVariable("TORBALANCER_EXE") is { Length: > 0 } named)
            return named;
        var sources = Repository.Sources
            .Where(static file => file.Project is "Proxy.Core" or "Proxy.Daemon" or "Proxy.Onion" or "Proxy.Testnet")
            .Max(static file => File.GetLastWriteTimeUtc(Path.Combine(Repository.Root, file.Project, file.Path)));
        string artifacts = Path.Combine(Repository.Root, "artifacts");
        string processor = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        return Directory.Exists(artifacts)
            && Directory.EnumerateFiles(artifacts, $"torbalancer-*-linux-{processor}").MaxBy(File.GetLastWriteTimeUtc) is { } release
            && File.GetLastWriteTimeUtc(release) > sources
            ? release
            : ProgramRun.Daemon;
    }
}
