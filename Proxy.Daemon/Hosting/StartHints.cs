namespace TorBalancer.Daemon.Hosting;

/// <summary>Lines to show once the listeners are open, because only then their real addresses are known.</summary>
internal sealed class StartHints
{
    private readonly List<Func<string, string>> _lines = [];

    /// <param name="line">Makes the line from a listener's address.</param>
    public void Add(Func<string, string> line) => _lines.Add(line);

    public IEnumerable<string> For(string listener) => _lines.Select(line => line(listener));
}
