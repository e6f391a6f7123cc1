using System.IO.Enumeration;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Transport;

/// <summary>What the system says of a process' file descriptors.</summary>
internal interface IOpenDescriptors
{
    /// <summary>RLIMIT_NOFILE, the soft one; <see cref="int.MaxValue"/>: none.</summary>
    int Limit { get; }

    /// <summary>How many are open now.</summary>
    int Count();
}

/// <summary>This process'.</summary>
internal sealed class OpenDescriptors : IOpenDescriptors
{
    // Of a daemon that has started: assemblies, event loops, log, listeners. For a system without /proc.
    private const int Usual = 192;

    private OpenDescriptors()
    {
    }

    /// <summary>Where there is no such limit, or none that is known here.</summary>
    public static IOpenDescriptors Unlimited { get; } = new NoLimit();

    public int Limit => Libc.GetDescriptorLimit();

    /// <summary>Raises the soft limit to the hard one first, as the runtime does where it is CoreCLR.</summary>
    public static IOpenDescriptors OfProcess()
    {
        if (!OperatingSystem.IsLinux())
            return Unlimited;
        Libc.RaiseDescriptorLimit();
        return new OpenDescriptors();
    }

    public int Count()
    {
        try
        {
            // One of them is the directory itself.
            int count = -1;
            foreach (int one in new FileSystemEnumerable<int>("/proc/self/fd", static (ref FileSystemEntry _) => 1))
                count += one;
            return count;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Usual;
        }
    }

    private sealed class NoLimit : IOpenDescriptors
    {
        public int Limit => int.MaxValue;

        public int Count() => 0;
    }
}
