namespace TorBalancer.Tests.Support;

/// <summary>
/// A user of this machine that is not us, for tests that run as root: only he may give files away and start programs as another.
/// </summary>
internal static class OtherUser
{
    /// <summary>No account has it; the kernel does not mind.</summary>
    public const uint Id = 54_321;

    /// <summary>Skips the calling test where we are not root.</summary>
    public static async Task RequireAsync(CancellationToken token)
    {
        string probe = Path.GetTempFileName();
        try
        {
            var given = await ProgramRun.RunAsync(ClientProcess.Require("chown"), [$"{Id}:{Id}", probe], token);
            if (given.ExitCode != 0)
                Assert.Ignore($"skipped: files cannot be given to another user (not root): {given.Error.Trim()}");
        }
        finally
        {
            File.Delete(probe);
        }
    }

    /// <summary>Skips the calling test where <see cref="UnderSeeingLittle"/> cannot be.</summary>
    public static async Task RequireSeeingLittleAsync(CancellationToken token)
    {
        await RequireAsync(token);
        string[] command = [.. UnderSeeingLittle, "true"];
        var run = await ProgramRun.RunAsync(command[0], command[1..], token);
        if (run.ExitCode != 0)
            Assert.Ignore($"skipped: no /proc of its own can be mounted: {run.Error.Trim()}");
    }

    /// <summary>Makes him the owner; of a link, of the link itself.</summary>
    public static async Task GiveAsync(string path, CancellationToken token)
    {
        var given = await ProgramRun.RunAsync(ClientProcess.Require("chown"), ["--no-dereference", $"{Id}:{Id}", path], token);
        Assert.That(given.ExitCode, Is.Zero, given.Error);
    }

    /// <summary>What to put in front of a command line to run it as him; the process id stays the command's.</summary>
    public static string[] Under => [ClientProcess.Require("setpriv"), $"--reuid={Id}", $"--regid={Id}", "--clear-groups"];

    /// <summary>
    /// The same as the unit of the package has it: without capabilities, and a /proc that hides what he may not debug, such as a tor of his
    /// own (ProtectProc=invisible).
    /// </summary>
    public static string[] UnderSeeingLittle =>
    [
        ClientProcess.Require("unshare"), "--mount", "sh", "-c", "mount -t proc -o hidepid=invisible proc /proc && exec \"$@\"", "sh",
        .. Under, "--bounding-set=-all", "--no-new-privs",
    ];
}
