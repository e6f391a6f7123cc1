using System.IO.Enumeration;

namespace TorBalancer.Transport.Linux;

/// <summary>This process'.</summary>
internal sealed class OpenDescriptors : IOpenDescriptors
{
    // Of a daemon that has started: assemblies, event loops, log, listeners. For a system without /proc.
    private const int Usual = 192;

    private OpenDescriptors()
    {
    }

    public int Limit => Libc.GetDescriptorLimit();

    /// <summary>Raises the soft limit to the hard one first, as the runtime does where it is CoreCLR. For Linux.</summary>
    public static OpenDescriptors OfProcess()
    {
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
}
