using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration.Rules;

/// <summary>What only tor can do, and is asked of workers with Tor = no all the same.</summary>
internal sealed class OtherWorkerRules(TorBalancerOptions options, GivenValues given, RuleReport report)
{
    public void Check()
    {
        bool anyTor = options.Workers.Any(static worker => worker.IsTor);
        ListenerOptions[] isolating = [.. options.Listeners.Where(static one => one.Isolation is not (null or IsolationMode.None))];
        foreach (var worker in options.Workers.Where(static worker => !worker.IsTor))
            CheckWorker(worker, $"Worker:{worker.Name}", isolating, anyTor);
    }

    private void CheckWorker(WorkerOptions worker, string section, ListenerOptions[] isolating, bool anyTor)
    {
        const string what = "Tor = no";
        var isolation = options.Balancing.Isolation;
        if (isolation != IsolationMode.None && !given.AnyFailed("Balancing", "Isolation"))
        {
            report.Warning(section, "Tor",
                $"{what}, but [Balancing] Isolation = {isolation.ToString().ToLowerInvariant()} sends it a user name and password, "
                + "which few such servers take, and nothing is kept apart by it; Isolation = none does without");
        }

        foreach (var listener in isolating)
        {
            report.Warning(section, "Tor",
                $"{what}, but [Listener:{listener.Name}] Isolation = {listener.Isolation.ToString()!.ToLowerInvariant()} "
                + "sends it a user name and password, which few such servers take");
        }

        if (worker.ControlEndPoint is not null)
            report.Warning(section, "ControlPort", $"{what}, but it has a ControlPort, which only tor has");
        if (worker.DnsPort is not null)
            report.Warning(section, "DnsPort", $"{what}, but it has a DnsPort, which only tor has");
        if (options.Health.OnionCanary.Length > 0)
            report.Warning(section, "Tor", $"{what}, but [Health] OnionCanary is an onion service: it will never pass a probe");
        if (anyTor)
        {
            report.Warning(section, "Tor",
                $"{what}, and other workers are tor: which of them carries a connection decides whether Tor hides it");
        }
    }
}
