using TorBalancer.Transport.Linux;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Whether the system allows as many descriptors as a daemon without clients needs. Where it does not, whatever opens one first
/// fails, and says something else each time.
/// </summary>
internal static class DescriptorLimit
{
    /// <summary>
    /// About 130 are open when nobody is served, fewer where all is in one file; the rest is for some clients and the reserve.
    /// </summary>
    public const int Least = 200;

    /// <summary>
    /// Throws <see cref="StartupException"/> when the limit, raised as far as it may be, is lower than <see cref="Least"/>.
    /// </summary>
    public static void Check()
    {
        if (OperatingSystem.IsLinux() && OpenDescriptors.OfProcess().Limit is < Least and var limit)
            throw new StartupException(
                $"the system allows {limit} file descriptors, and {Least} are the least: raise LimitNOFILE (systemd) or ulimit -n");
    }
}
