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

    /// <summary>Makes him the owner; of a link, of the link itself.</summary>
    public static async Task GiveAsync(string path, CancellationToken token)
    {
        var given = await ProgramRun.RunAsync(ClientProcess.Require("chown"), ["--no-dereference", $"{Id}:{Id}", path], token);
        Assert.That(given.ExitCode, Is.Zero, given.Error);
    }

    /// <summary>What to put in front of a command line to run it as him; the process id stays the command's.</summary>
    public static string[] Under => [ClientProcess.Require("setpriv"), $"--reuid={Id}", $"--regid={Id}", "--clear-groups"];
}
