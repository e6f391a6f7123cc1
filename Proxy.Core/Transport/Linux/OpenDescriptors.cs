using System.IO.Enumeration;

namespace TorBalancer.Transport.Linux;

/// <summary>This process'.</summary>
internal sealed class OpenDescriptors : IOpenDescriptors
{
    // Of a daemon that has started: assemblies, event loops, log, listeners. For a system without /proc.
    private const int Usual = 192;

    private readonly string _directory;
    private int _last = Usual;

    /// <param name="directory">Of which each entry is an open descriptor.</param>
    internal OpenDescriptors(string directory) => _directory = directory;

    public int Limit => Libc.GetDescriptorLimit();

    /// <summary>Raises the soft limit to the hard one first, as the runtime does where it is CoreCLR. For Linux.</summary>
    public static OpenDescriptors OfProcess()
    {
        Libc.RaiseDescriptorLimit();
        return new OpenDescriptors("/proc/self/fd");
    }

    public int Count()
    {
        try
        {
            // One of them is the directory itself.
            int count = -1;
            foreach (int one in new FileSystemEnumerable<int>(_directory, static (ref FileSystemEntry _) => 1))
                count += one;
            Volatile.Write(ref _last, count);
            return count;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // When there is no descriptor left for the directory itself, what was seen last is closer to the truth than any guess.
            return Volatile.Read(ref _last);
        }
    }
}
