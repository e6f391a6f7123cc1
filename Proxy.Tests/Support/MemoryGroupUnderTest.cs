using System.Globalization;

namespace TorBalancer.Tests.Support;

/// <summary>A memory cgroup of the test's own; the test is skipped where none can be made.</summary>
internal sealed class MemoryGroupUnderTest(string path) : IAsyncDisposable
{
    /// <summary>A program that enters it and becomes another.</summary>
    public IReadOnlyList<string> Enter => ["sh", "-c", $"echo $$ > {path}/cgroup.procs && exec \"$@\"", "sh"];

    /// <param name="limit">In bytes.</param>
    public static MemoryGroupUnderTest Create(long limit)
    {
        string name = $"tb-{Environment.ProcessId}-{Guid.NewGuid():N}";
        foreach (
            var (root, file) in ((string, string)[])[("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")])
        {
            string path = Path.Combine(root, name);
            try
            {
                if (!Directory.Exists(root))
                    continue;
                Directory.CreateDirectory(path);
                if (File.Exists(Path.Combine(path, file)))
                {
                    File.WriteAllText(Path.Combine(path, file), limit.ToString(CultureInfo.InvariantCulture));
                    return new MemoryGroupUnderTest(path);
                }

                Directory.Delete(path);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
            }
        }

        Assert.Ignore("skipped: no memory cgroup can be made here");
        throw new InvalidOperationException();
    }

    public ValueTask DisposeAsync()
    {
        // Of a cgroup only the directory can be removed, and only when its last process has ended.
        try
        {
            Directory.Delete(path);
        }
        catch (IOException)
        {
        }

        return ValueTask.CompletedTask;
    }
}
