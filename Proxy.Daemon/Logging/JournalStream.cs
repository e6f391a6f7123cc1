using System.Globalization;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Logging;

/// <summary>
/// Whether what is written to standard output reaches the journal (systemd.exec(5), JOURNAL_STREAM). That the variable is there says
/// nothing: whatever a service starts inherits it, a terminal of the desktop and all that is started there among them.
/// </summary>
internal static class JournalStream
{
    private const int Output = 1, Error = 2;

    /// <param name="variable">JOURNAL_STREAM: device and inode, of standard error where both are streams of the journal.</param>
    /// <param name="statusOf">What a descriptor stands for; null: it is closed.</param>
    public static bool HasOutput(string? variable, Func<int, FileStatus?> statusOf)
    {
        if (variable?.Split(':') is not [var device, var inode]
            || !ulong.TryParse(device, NumberStyles.None, CultureInfo.InvariantCulture, out ulong wantedDevice)
            || !ulong.TryParse(inode, NumberStyles.None, CultureInfo.InvariantCulture, out ulong wantedInode)
            || statusOf(Output) is not { } output)
            return false;
        return Is(output) || (output.IsSocket && statusOf(Error) is { } error && Is(error));

        bool Is(FileStatus status) => status.Inode == wantedInode && Number(status.Device) == wantedDevice;
    }

    /// <summary>As stat(2) has it (makedev(3)), of the two numbers side by side that statx(2) gives.</summary>
    private static ulong Number(ulong device)
    {
        ulong major = device >> 32, minor = device & uint.MaxValue;
        return ((major & 0xFFFF_F000) << 32) | ((major & 0xFFF) << 8) | ((minor & 0xFFFF_FF00) << 12) | (minor & 0xFF);
    }
}
