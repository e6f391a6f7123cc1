using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration.Rules;

/// <summary>Each worker is a tor process of its own, and there is one.</summary>
internal sealed class WorkerRules(TorBalancerOptions options, GivenValues given, RuleReport report)
{
    public void Check()
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        var controls = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var worker in options.Workers)
        {
            string section = $"Worker:{worker.Name}";
            if (given.AnyFailed(section, "Address", "SocksPort"))
                continue;
            string endPoint = worker.SocksEndPoint.ToString()!;
            if (!seen.TryAdd(endPoint, section))
            {
                report.Error(section, report.SocksKey(section),
                    $"{endPoint} is the SOCKS address of [{seen[endPoint]}] already; two workers need two tor processes");
            }

            if (worker.ControlEndPoint is not { } control || given.AnyFailed(section, "ControlPort"))
                continue;
            if (Addresses.Clash(control, worker.SocksEndPoint))
                report.Error(section, "ControlPort", $"ControlPort is the same as its SocksPort ({control}); tor has one port for each");
            else if (!controls.TryAdd(control.ToString()!, section))
            {
                report.Error(section, "ControlPort",
                    $"{control} is the control port of [{controls[control.ToString()!]}] already; two workers need two tor processes");
            }
        }

        const string Managed = "ManagedWorkers";
        const string Discovery = "Discovery";
        if (options.Discovery is { IsOn: true, Resolver: null } && !given.AnyFailed(Discovery, "Resolver", "Name"))
            report.Error(Discovery, "Name", "Name needs a Resolver: host:port of a DNS server that knows it; the system's is never asked");
        if (options.Discovery is { IsOn: false, Resolver: not null } && !given.AnyFailed(Discovery, "Name"))
            report.Warning(Discovery, "Resolver", "is not asked for anything, because Name is empty");
        if (options.UsesManagedWorkers && options.ManagedWorkers.Count == 0)
        {
            report.Error(Managed, "Count",
                "Count = 0 and no [Worker:name] is configured: nothing could carry a connection; add a worker or raise Count");
        }

        if (!options.UsesManagedWorkers && options.ManagedWorkers.Count > 0)
        {
            // In DataDirectory the isolation key is kept, whoever the workers are.
            string[] keys = ["Count", "TorPath", "Countries", "Bridges", "Transports", "ExtraTorrc"];
            string? unused = Array.Find(keys, key => given.IsSet(Managed, key));
            if (unused is not null)
            {
                report.Warning(
                    Managed, unused,
                    options.Workers.Count > 0 ? "is not used, because there are [Worker:name] sections"
                        : "is not used, because [Discovery] says where workers are");
            }
        }
    }
}
