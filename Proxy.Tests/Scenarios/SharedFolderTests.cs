using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The real executable where another user was in /tmp first. Its own /tmp, in a mount namespace, so that nobody meets.</summary>
[SupportedOSPlatform("linux")]
public sealed class SharedFolderTests
{
    private const string Configuration = "[Health]\nEnabled = no\n[Worker:w1]\nSocksPort = 9\n";

    /// <summary>As whom the daemon runs, who owns its place, what it is, and whether the socket is opened there.</summary>
    [TestCase(0u, OtherUser.Id, "mkdir -m 700", false)]
    [TestCase(0u, OtherUser.Id, "ln -s /root", false)]
    [TestCase(0u, 0u, "mkdir -m 777", false)]
    [TestCase(0u, 0u, "mkdir -m 755", true)]
    [TestCase(OtherUser.Id, 0u, "mkdir -m 700", false)]
    [TestCase(OtherUser.Id, 12_345u, "mkdir -m 777", false)]
    [TestCase(OtherUser.Id, OtherUser.Id, "mkdir -m 700", true)]
    [CancelAfter(60_000)]
    public async Task Automatic_socket_is_in_a_place_of_ours_or_nowhere(
        uint daemonUser, uint owner, string make, bool opened, CancellationToken token)
    {
        await OtherUser.RequireAsync(token);
        string runtime = Path.GetFullPath(RuntimeEnvironment.GetRuntimeDirectory());
        if (daemonUser != 0 && runtime.StartsWith("/root/", StringComparison.Ordinal))
            Assert.Ignore($"skipped: another user cannot use the runtime in {runtime}");
        string place = $"/tmp/torbalancer-{daemonUser}", directory = $"/var/tmp/tbsf{Environment.ProcessId}";
        Directory.CreateDirectory(Path.Combine(directory, "bin"), (UnixFileMode)0x1ED);

        // The executable may be below /tmp itself, or where the other user cannot go.
        string script = $"mount --bind '{Path.GetDirectoryName(ProgramRun.Daemon)}' {directory}/bin && mount -t tmpfs -o mode=1777 none "
            + $"/tmp"
            + $" && {make} {place} && chown -h {owner}:{owner} {place} && shift"
            + $" && exec {(daemonUser == 0 ? "" : string.Join(' ', OtherUser.Under))} {directory}/bin/torbalancer \"$@\"";
        string[] under = [ClientProcess.Require("unshare"), "-m", "/bin/sh", "-c", script, "sh"];
        await using var daemon = await DaemonUnderTest.StartAsync(Configuration, token, directory, under, socket: "auto");

        string said = await daemon.WaitForLineAsync(static line => line.Contains("No socket for the command line", StringComparison.Ordinal)
            || line.Contains("Admin API on unix:", StringComparison.Ordinal), token);
        string there = $"/proc/{daemon.ProcessId}/root{place}/admin.sock";
        Assert.That(
            said,
            Does.Contain(
                opened ? $"Admin API on unix:{place}/admin.sock" : $"No socket for the command line at {place}/admin.sock: {place}"));
        Assert.That(File.Exists(there), Is.EqualTo(opened));
        Assert.That(File.Exists("/root/admin.sock"), Is.False);
        if (opened)
            Assert.That(File.GetUnixFileMode(there), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }
}
