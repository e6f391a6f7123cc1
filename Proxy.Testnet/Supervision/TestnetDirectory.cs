using System.Globalization;
using System.Text.Json;
using TorBalancer.Processes;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet.Supervision;

/// <summary>
/// The directory of a supervised network. The supervisor holds a lock in it while it lives: that, and not a process id
/// that may be somebody else's by now, tells a running network from the remains of one.
/// </summary>
internal sealed class TestnetDirectory(string path)
{
    // Between making the directory and taking the lock, a start is under way.
    private static readonly TimeSpan StartGrace = TimeSpan.FromSeconds(15);

    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>Where the network itself lives.</summary>
    public string NetworkPath => System.IO.Path.Combine(Path, "net");

    public string LogPath => System.IO.Path.Combine(Path, "supervisor.log");

    public string ConfPath => System.IO.Path.Combine(Path, "torbalancer.conf");

    /// <summary>True when a network was made here, whether it runs or not.</summary>
    public bool Exists => TestNetworkDirectory.IsOurs(Path);

    private string StatePath => System.IO.Path.Combine(Path, "testnet.json");

    private string LockPath => System.IO.Path.Combine(Path, "lock");

    /// <summary>The lock, or null when another process holds it. Closing it, or ending, gives it back.</summary>
    public FileStream? TryLock()
    {
        try
        {
            return new FileStream(LockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>True while a supervisor lives, or is about to.</summary>
    public bool IsSupervised(TimeProvider time)
    {
        if (!Exists)
            return false;
        using FileStream? taken = TryLock();
        return taken is null || (!File.Exists(StatePath) && time.GetUtcNow() - TestNetworkDirectory.MadeAt(Path) < StartGrace);
    }

    /// <summary>What the supervisor wrote last, or null when it wrote nothing yet.</summary>
    public TestnetState? ReadState()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(StatePath), TestnetJson.Default.TestnetState);
        }
        catch (Exception failure) when (failure is IOException or JsonException)
        {
            return null;
        }
    }

    public void WriteState(TestnetState state) =>
        PrivateFiles.Write(StatePath, JsonSerializer.Serialize(state, TestnetJson.Default.TestnetState) + "\n");

    /// <summary>The processes of our user that run on a torrc below this directory.</summary>
    public IReadOnlyList<int> FindNodes()
    {
        string mark = $" {NetworkPath}/";
        var found = new List<int>();
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(System.IO.Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && ProcessSignals.CommandLine(pid).Contains(mark, StringComparison.Ordinal))
                found.Add(pid);
        }

        return found;
    }

    /// <summary>Kills what a dead supervisor left running and removes the directory. Returns how many processes there were.</summary>
    public int CleanUp()
    {
        IReadOnlyList<int> nodes = FindNodes();
        foreach (int pid in nodes)
            ProcessSignals.Kill(pid);
        TestNetworkDirectory.Remove(Path);
        return nodes.Count;
    }
}
