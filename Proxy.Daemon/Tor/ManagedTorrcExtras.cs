using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Processes;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Tor;

/// <summary>The torrc lines of managed workers that come from the configuration: the user's own, bridges, the exits' country.</summary>
/// <param name="options">[ManagedWorkers].</param>
/// <param name="version">What the tor executable says that it is; null: nothing is known of it.</param>
internal sealed class ManagedTorrcExtras(ManagedWorkersOptions options, TorVersion? version)
{
    private IReadOnlyList<string> _user = [];
    private IReadOnlyList<string> _bridges = [];
    private GeoIPFile? _geoip;

    /// <summary>
    /// Reads the files that the options name and looks for the programs. Throws <see cref="ManagedWorkersException"/> when something is
    /// wrong or missing, and <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/> when a file cannot be read.
    /// </summary>
    public void Load()
    {
        if (options.ExtraTorrc.Length > 0)
            _user = ReadExtra(options.ExtraTorrc);
        var (bridges, wrong) = ManagedBridges.Of(options, DiskFiles.Instance);
        if (wrong is not null)
            throw new ManagedWorkersException($"[ManagedWorkers] Bridges = {options.BridgesFile} {wrong}");
        (_bridges, var problems) = PluggableTransports.TorrcLines(options, bridges, Executables.Find);
        if (problems.Count > 0)
            throw new ManagedWorkersException("[ManagedWorkers] " + string.Join("; ", problems.Select(static one => one.Message)));
        if (options.Countries.All(static share => share.Country.Length == 0))
            return;
        _geoip = GeoIPFile.Find(_user, options.TorPath, File.Exists);
        if (_geoip.Path is null)
            throw new ManagedWorkersException($"[ManagedWorkers] Countries {_geoip.Advice}.");
    }

    /// <summary>Those of one worker. What is in front of the user's lines can be overridden by them, what is behind cannot.</summary>
    /// <param name="country">Where its exits are to be; empty: anywhere.</param>
    public IReadOnlyList<string> LinesFor(string country)
    {
        var lines = new List<string>();

        // With it a session's next connection takes the first set of circuits that nobody else has, and leaves its own circuit and exit.
        if (version >= TorVersion.FirstWithConflux)
            lines.Add("ConfluxEnabled 0");
        lines.AddRange(_user);
        lines.AddRange(_bridges);
        if (country.Length == 0)
            return lines;

        // The file for IPv6 is not needed: a relay's country is that of its IPv4 address.
        if (_geoip is { IsInTorrc: false, Path: { } path })
            lines.Add("GeoIPFile " + ManagedTorrc.Quote(path));
        lines.Add($"ExitNodes {{{country}}}");
        lines.Add("StrictNodes 1");
        return lines;
    }

    /// <summary>As lines that end where they end: one that went on would take ours into it.</summary>
    private static IReadOnlyList<string> ReadExtra(string path)
    {
        var (lines, problem) = TorrcText.Parse(File.ReadAllText(path));
        return problem is null ? lines : throw new ManagedWorkersException($"[ManagedWorkers] ExtraTorrc = {path}: {problem}");
    }
}
