using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration.Rules;

/// <summary>No address is taken twice, and no worker is the daemon itself.</summary>
internal sealed class AddressRules(TorBalancerOptions options, GivenValues given, RuleReport report)
{
    public void Check()
    {
        var taken = new List<(ListenAddress Address, string Section, string Key)>();
        foreach (var listener in options.Listeners)
            Take(new ListenAddress(listener.Address, listener.LastPort), $"Listener:{listener.Name}", "Address");
        if (options.Admin.Address is { } admin)
            Take(new ListenAddress(admin), "Admin", "Address");
        if (options.Readiness.Address is { } readiness)
            Take(new ListenAddress(readiness), "Readiness", "Address");
        if (options.Readiness.Agent is { } agent)
            Take(new ListenAddress(agent), "Readiness", "Agent");
        if (options.Dns.Address is { } dns)
            Take(new ListenAddress(dns), "Dns", "Address");
        if (options.Admin.Socket.StartsWith("unix:", StringComparison.OrdinalIgnoreCase))
            Take(new ListenAddress(new UnixDomainSocketEndPoint(options.Admin.Socket["unix:".Length..])), "Admin", "Socket");

        foreach (var worker in options.Workers)
        {
            string section = $"Worker:{worker.Name}";
            if (given.AnyFailed(section, "Address", "SocksPort"))
                continue;
            var clash = taken.Find(one => Addresses.Clash(one.Address, new ListenAddress(worker.SocksEndPoint)));
            if (clash.Section is not null)
            {
                report.Error(section, report.SocksKey(section),
                    $"{worker.SocksEndPoint} is this daemon's own [{clash.Section}] {clash.Key}, not a tor process");
            }
        }

        void Take(ListenAddress address, string section, string key)
        {
            if (given.AnyFailed(section, key))
                return;
            var clash = taken.Find(one => Addresses.Clash(one.Address, address));

            // A default has no line: what the user wrote is where the mistake is seen.
            if (clash.Section is not null && !given.IsSet(section, key) && given.IsSet(clash.Section, clash.Key))
            {
                report.Error(clash.Section, clash.Key,
                    $"{clash.Key} = \"{clash.Address}\" is taken by [{section}] {key} = \"{address}\", its default");
            }
            else if (clash.Section is not null)
                report.Error(section, key, $"{key} = \"{address}\" is taken by [{clash.Section}] {clash.Key} = \"{clash.Address}\"");
            taken.Add((address, section, key));
        }
    }
}
