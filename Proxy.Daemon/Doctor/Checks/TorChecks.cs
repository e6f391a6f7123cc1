using System.Globalization;
using System.Text.Json;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Daemon.Tor;
using TorBalancer.Processes;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Doctor.Checks;

/// <summary>The workers' tors themselves.</summary>
internal static class TorChecks
{
    // Tor takes a list of relays a day before it holds and a day after; what is farther off is of no use to it.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(30), ConsensusTolerance = TimeSpan.FromHours(24);

    private static readonly TimeSpan ShortDirtiness = TimeSpan.FromSeconds(60);

    public static IEnumerable<Finding> Program(Patient patient)
    {
        if (!patient.IsManaged)
            yield break;
        var managed = patient.Options.ManagedWorkers;
        if (Executables.FindTor(managed.TorPath) is not { } tor)
        {
            yield return Finding.Error(
                "[ManagedWorkers] TorPath", $"there is no tor executable ({managed.TorPath}), and no [Worker:name] is configured",
                "install tor (apt-get install tor tor-geoipdb), name it in TorPath, or configure workers of your own");
            yield break;
        }

        if (CheckCommand.ProblemOfTransports(patient.Configuration) is { } problem)
            yield return Finding.Error("[ManagedWorkers] Bridges", problem, "install the transport's program, or name it in Transports");
        if (TorProgram.VersionOf(tor) is not { } version)
        {
            yield return Finding.Error(tor, "it does not say its version within 5 s", "see what it prints: " + tor + " --version");
            yield break;
        }

        foreach (var fault in TorFault.All.Where(fault => fault.Has(version) && fault != TorFault.ConfluxAcrossIsolation))
            yield return FaultOf(tor, version, fault);
    }

    public static IEnumerable<Finding> Version(Patient patient)
    {
        foreach (var worker in patient.Workers)
        {
            var version = worker.Control?.Version ?? VersionOf(patient, worker.Id);
            if (version is not { } known)
                continue;
            string where = worker.Id;
            if (worker.Control?.VersionStatus is "obsolete" or "unrecommended" or "old")
            {
                yield return Finding.Warning(
                    where, $"the directory authorities call its version, tor {known}, {worker.Control.VersionStatus}", "upgrade it");
            }

            // Of managed ones the executable has been looked at.
            if (patient.IsManaged)
                continue;
            foreach (var fault in TorFault.All.Where(fault => fault.Has(known)))
            {
                bool isAvoided = fault == TorFault.ConfluxAcrossIsolation && worker.Control?.Setting("ConfluxEnabled") == "0";
                if (!isAvoided)
                    yield return FaultOf(where, known, fault);
            }
        }
    }

    public static IEnumerable<Finding> Start(Patient patient)
    {
        foreach (var worker in patient.Workers.Where(static worker => worker.Control is { Problem: null }))
        {
            var control = worker.Control!;
            var bootstrap = control.Bootstrap;
            if (control.Setting("DisableNetwork") == "1")
                yield return Finding.Error(worker.Id, "its torrc has DisableNetwork 1: it carries nothing", "take that line out");
            else if (!bootstrap.IsDone)
            {
                string what = string.Create(
                    CultureInfo.InvariantCulture, $"its tor has come to {bootstrap.Progress} % of its start ({bootstrap.Summary})");
                string why = bootstrap.Warning is { } warning ? $": {warning}{bootstrap.Where}" : "";
                yield return Finding.Error(
                    worker.Id, what + why, "wait a minute; then see its log, its clock, and whether a firewall or a censor is in the way "
                        + "(bridges help)");
            }
            else if (!control.IsNetworkLive)
            {
                yield return Finding.Error(
                    worker.Id, "its tor has had no answer from the network for a while", "see whether its machine has a network at all");
            }
        }
    }

    public static IEnumerable<Finding> Clock(Patient patient)
    {
        foreach (var worker in patient.Workers)
        {
            if (worker.Control?.Clock is { } clock && (clock.Theirs - clock.Ours).Duration() is var off && off > ClockTolerance)
            {
                yield return Finding.Warning(
                    worker.Id, $"its machine's clock and this one's differ by {Units.Time((long)off.TotalMilliseconds)}",
                    "let both be set by the network (systemd-timesyncd, chrony); logs cannot be compared otherwise");
            }

            if (worker.Control?.Consensus is not { } consensus)
                continue;
            var now = worker.Control.Clock?.Theirs ?? patient.Now;
            if (now < consensus.From - ConsensusTolerance || now > consensus.Until + ConsensusTolerance)
            {
                yield return Finding.Error(
                    worker.Id,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"its clock says {now:yyyy-MM-dd HH:mm} UTC, its list of relays holds from {consensus.From:yyyy-MM-dd HH:mm} to "
                            + $"{consensus.Until:yyyy-MM-dd HH:mm}: tor does not work with either a wrong clock or so old a list"),
                    "set the clock (timedatectl set-ntp true); if it is right, see why tor gets no new list");
            }
        }
    }

    public static IEnumerable<Finding> Torrc(Patient patient)
    {
        foreach (var worker in patient.Workers.Where(static worker => worker.Control is { Problem: null }))
        {
            var control = worker.Control!;
            string where = worker.Id;
            if (control.Setting("SafeLogging") == "0")
            {
                yield return Finding.Warning(
                    where, "SafeLogging 0 writes the names of targets into tor's log", "take that line out, or set it to 1");
            }

            if (control.Setting("UseEntryGuards") == "0")
            {
                yield return Finding.Warning(
                    where, "UseEntryGuards 0 takes any relay as the first hop: sooner or later an observer is among them",
                    "take that line out");
            }

            if (control.Setting("DormantTimeoutEnabled") == "1" && !worker.Model.IsManaged)
            {
                yield return Finding.Note(
                    where, "after a day without use this tor goes dormant, and the first connection then waits for it to wake",
                    "DormantTimeoutEnabled 0");
            }

            if (int.TryParse(control.Setting("MaxCircuitDirtiness"), CultureInfo.InvariantCulture, out int dirtiness)
                && TimeSpan.FromSeconds(dirtiness) < ShortDirtiness)
            {
                yield return Finding.Warning(
                    where, $"MaxCircuitDirtiness {dirtiness} changes exits so often that log-ins break and the network has more to carry",
                    "take that line out; sessions rotate by themselves where they are told to (rotate-N, lifetime-T)");
            }

            if (control.Setting("ORPort") is { Length: > 0 } relay && relay != "0")
            {
                yield return Finding.Note(
                    where, "this tor is a relay too: what it carries for others takes from its workers' share, and its address is public",
                    "use a tor of its own for clients");
            }

            if (control.Setting("ExitNodes") is { Length: > 0 } exits && worker.Model.Country.Length == 0 && !worker.Model.IsManaged)
            {
                yield return Finding.Note(
                    where, $"ExitNodes {exits} is set, and no country is configured: clients that ask for one do not get this worker",
                    $"[Worker:{worker.Id}] Country = its two letters");
            }

            if (int.TryParse(control.Setting("SocksTimeout"), CultureInfo.InvariantCulture, out int timeout)
                && TimeSpan.FromSeconds(timeout) < patient.Options.Connect.AttemptTimeout)
            {
                yield return Finding.Note(
                    where, $"SocksTimeout {timeout} ends attempts before [Connect] AttemptTimeout "
                        + $"({DurationText.Show(patient.Options.Connect.AttemptTimeout)}) does",
                    "leave it at tor's own 120, or shorten AttemptTimeout");
            }
        }
    }

    public static IEnumerable<Finding> GeoIP(Patient patient)
    {
        foreach (var worker in patient.Workers)
        {
            if (worker is { Control.HasGeoIP: false, Model.Country.Length: > 0 })
            {
                yield return Finding.Error(
                    worker.Id, $"its tor has no GeoIP file, so it cannot choose exits in {worker.Model.Country}, nor tell which are there",
                    "install tor-geoipdb on its machine, or name a file with GeoIPFile in its torrc");
            }
        }

        var managed = patient.Options.ManagedWorkers;
        if (!patient.IsManaged || !managed.Countries.Any(static share => share.Country.Length > 0))
            yield break;
        string[] extra = managed.ExtraTorrc.Length > 0 && DiskFiles.Instance.TryRead(managed.ExtraTorrc, out string text, out _)
            ? [.. TorrcText.Parse(text).Lines]
            : [];
        var file = GeoIPFile.Find(extra, managed.TorPath, File.Exists);
        if (file.Path is null)
            yield return Finding.Error("[ManagedWorkers] Countries", $"Countries {file.Advice}", "install Debian's package tor-geoipdb");
    }

    public static IEnumerable<Finding> CountryExits(Patient patient)
    {
        foreach (var worker in patient.Workers)
        {
            int? count = worker.Control?.CountryExits;
            string country = worker.Model.Country;
            if (count is null && RunningOf(patient, worker.Id) is { } running)
                (count, country) = ((int?)running.Member("tor")?.Whole("country_exits"), running.Text("country") ?? country);
            if (count < TorControl.Relays.CountryExits.Few)
            {
                yield return Finding.Warning(
                    worker.Id, $"in its country {country} the network has {Units.Count(count.Value, "exit")}: few are soon blocked, carry "
                        + "little, and tell their users apart",
                    "take another country, or any");
            }
        }
    }

    private static Finding FaultOf(string where, TorVersion version, TorFault fault) => Finding.Warning(
        where, $"tor {version} has {fault.Reference}: {fault.Consequence}", $"upgrade it to {fault.FixedIn} or later");

    private static TorVersion? VersionOf(Patient patient, string id) =>
        RunningOf(patient, id)?.Member("tor")?.Text("version") is { } text ? TorVersion.TryParse(text) : null;

    private static JsonElement? RunningOf(Patient patient, string id) =>
        patient.Daemon.Workers?.Items("workers").Where(worker => worker.Text("id") == id)
            .Select(static worker => (JsonElement?)worker).FirstOrDefault();
}
