using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Rules;

/// <summary>What values name must be there, or be possible, for the daemon to start, and for its probes to pass.</summary>
internal sealed class StartRules(TorBalancerOptions options, GivenValues given, IConfigurationFiles files, RuleReport report)
{
    private const string Managed = "ManagedWorkers";

    private const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Of the isolation key, 32 bytes.</summary>
    private const int KeyDigits = 64;

    public void Check()
    {
        if (options.UsesManagedWorkers && options.ManagedWorkers.Count > 0)
            CheckManaged(options.ManagedWorkers);
        if (options.Log.File.Length > 0 && files.ProblemOfMaking(options.Log.File, isDirectory: false) is { } problem)
            Error("Log", "File", options.Log.File, problem);
        if (options.Balancing.KeyFile.StartsWith('/'))
            CheckKeyFile(options.Balancing.KeyFile);
        if (!options.Health.Enabled || given.AnyFailed("Health", "Canary"))
            return;
        foreach (string canary in options.Health.Canary)
            CheckCanary(canary);
    }

    /// <summary>What is in it is read at the start, by the daemon's user.</summary>
    private void CheckKeyFile(string path)
    {
        if (!files.Exists(path))
        {
            Error(
                "Balancing", "KeyFile", path,
                files.ProblemOfMaking(path, isDirectory: false) ?? "does not exist; auto makes one by itself");
        }
        else if (files.Mode(path) is { } mode && (mode & FileModes.Others) != 0)
            Error("Balancing", "KeyFile", path, "can be read or written by others; only mode 0600 or less is taken");
        else if (!files.TryRead(path, out string text, out string unread))
        {
            // Whoever asks need not be the daemon's user.
            if (!unread.StartsWith("may not be read", StringComparison.Ordinal))
                Error("Balancing", "KeyFile", path, unread);
        }
        else if (!IsKey(text.Trim()))
        {
            Error(
                "Balancing", "KeyFile", path,
                FormattableString.Invariant($"holds no key: {KeyDigits} hexadecimal digits on one line are one"));
        }

        static bool IsKey(string text) => text.Length == KeyDigits && text.All(char.IsAsciiHexDigit);
    }

    private void CheckManaged(ManagedWorkersOptions managed)
    {
        IReadOnlyList<string> extra = [];
        if (managed.ExtraTorrc.Length > 0)
        {
            if (files.TryRead(managed.ExtraTorrc, out string text, out string? wrong))
                (extra, wrong) = TorrcText.Parse(text);
            if (wrong is not null)
                Error(Managed, "ExtraTorrc", managed.ExtraTorrc, wrong);
        }

        if (ManagedBridges.Of(managed, files).Problem is { } wrongBridges)
            Error(Managed, "Bridges", managed.BridgesFile, wrongBridges);

        if (managed.Countries.Count > 0 && !given.AnyFailed(Managed, "Countries", "Count"))
            CheckCountries(managed, extra);

        if (managed.TorPath.Contains('/'))
        {
            if (!files.Exists(managed.TorPath))
                Error(Managed, "TorPath", managed.TorPath, "is no file");
            else if (files.Mode(managed.TorPath) is { } mode && (mode & Execute) == 0)
                Error(Managed, "TorPath", managed.TorPath, "is not executable");
        }

        if (managed.DataDirectory.StartsWith('/') && files.ProblemOfMaking(managed.DataDirectory, isDirectory: true) is { } problem)
            Error(Managed, "DataDirectory", managed.DataDirectory, problem);
    }

    private void CheckCountries(ManagedWorkersOptions managed, IReadOnlyList<string> extra)
    {
        const int most = ManagedWorkersOptions.MostWorkers;
        int sum = managed.Countries.Sum(static share => share.Count);
        if (sum > most)
            report.Error(Managed, "Countries", FormattableString.Invariant($"Countries names {sum} workers; {most} are the most"));
        else if (sum != managed.Count)
        {
            report.Error(Managed, "Count", FormattableString.Invariant(
                $"Count = {managed.Count}, but Countries names {sum} workers; leave Count out, or add any:N to Countries for the others"));
        }

        string[] countries =
            [.. managed.Countries.Select(static share => share.Country).Where(static country => country.Length > 0).Distinct()];
        if (countries.Length == 0)
            return;
        var geoip = GeoIPFile.Find(extra, managed.TorPath, files.Exists);
        if (geoip.Path is null)
        {
            report.Error(Managed, "Countries", $"Countries {geoip.Advice}");
            return;
        }

        // What tor would find out only when it has its list of relays.
        using var file = files.Open(geoip.Path);
        foreach (string country in file is null ? [] : Missing(file, countries))
        {
            report.Warning(Managed, "Countries",
                $"Countries has {country}, a country that {geoip.Path} does not know: no exit will be found there");
        }
    }

    /// <summary>A file that cannot be read to its end says nothing against a country.</summary>
    private static IReadOnlyList<string> Missing(TextReader file, string[] countries)
    {
        try
        {
            return GeoIPFile.Missing(file, countries);
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>
    /// tor and its exits refuse such targets, so every worker would be dead, unless the network is one in which they are reached.
    /// </summary>
    private void CheckCanary(string canary)
    {
        if (!Values.TryCanaryTarget(canary, out var target))
            return;
        string? what = target.IsNumber ? "a name that ends in a number"
            : target.Address is null && HostName.IsWithin(target.Host, "exit") ? "tor's .exit notation"
            : target.IsPrivate && !options.Route.Rules.Any(rule => IsAbout(rule, target)) ? "a private or local target"
            : null;
        if (what is not null)
        {
            report.Warning("Health", "Canary",
                $"Canary = \"{ConfText.Printable(canary)}\" is {what}, which no exit of Tor reaches: every worker would fail its probes");
        }
    }

    private static bool IsAbout(RuleOptions rule, HostEndPoint target) =>
        rule.Route is not (null or RuleRoute.Reject)
        && (target.Address is { } address
            ? rule.Networks.Any(network => network.Contains(address))
            : rule.Domains.Any(domain => HostName.IsWithin(target.Host, domain)));

    private void Error(string section, string key, string value, string problem)
    {
        if (!given.AnyFailed(section, key))
            report.Error(section, key, $"{key} = \"{ConfText.Printable(value)}\" {problem}");
    }
}
