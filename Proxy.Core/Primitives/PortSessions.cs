using System.Globalization;

namespace TorBalancer.Primitives;

/// <summary>Ports that follow each other, each of which is a session.</summary>
/// <param name="First">1 to 65535.</param>
/// <param name="Last">Not below <paramref name="First"/>.</param>
internal readonly record struct PortSessions(int First, int Last)
{
    public int Count => Last - First + 1;

    public bool Contains(int port) => port >= First && port <= Last;

    /// <summary>
    /// The port that a name stands for: its own number, or port_ and that; any other name always has the same one, which it may share with
    /// another name.
    /// </summary>
    public int Of(string name)
    {
        var digits = name.StartsWith("port_", StringComparison.Ordinal) ? name.AsSpan(5) : name;
        if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && Contains(port))
            return port;

        // FNV-1a: the same in every process.
        uint hash = 2166136261;
        foreach (char c in name)
            hash = (hash ^ c) * 16777619;
        return First + (int)((hash ^ (hash >> 16)) % (uint)Count);
    }
}
