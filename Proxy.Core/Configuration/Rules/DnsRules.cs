using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Rules;

/// <summary>Whom the name server answers, and which addresses it may make up.</summary>
internal sealed class DnsRules(TorBalancerOptions options, GivenValues given, RuleReport report)
{
    private const string Section = "Dns";

    private const int NarrowestIPv4 = 24, NarrowestIPv6 = 112;

    public void Check()
    {
        var dns = options.Dns;
        if (!given.AnyFailed(Section, "VirtualAddresses"))
            CheckRanges(dns.VirtualAddresses);
        if (dns.Address is not { } address || given.AnyFailed(Section, "Address"))
            return;
        if (!IPAddress.IsLoopback(address.Address) && dns.AllowFrom.Count == 0 && !given.AnyFailed(Section, "AllowFrom"))
        {
            report.Error(Section, "Address", $"Address = \"{address}\" can be reached from other machines; set AllowFrom = the networks "
                + "that may ask, or listen on 127.0.0.1");
        }

        foreach (var network in dns.AllowFrom)
        {
            if (network.PrefixLength == 0)
                report.Warning(Section, "AllowFrom", $"AllowFrom = {network} answers everyone, senders that are made up included");
        }

        if (!options.Listeners.Any(static listener => listener.Protocols.HasFlag(ListenerProtocols.Transparent)))
        {
            report.Warning(Section, "Address",
                "there is no listener with Protocols = transparent: the addresses that .onion names get lead nowhere");
        }
    }

    private void CheckRanges(IList<IPNetwork> ranges)
    {
        foreach (var range in ranges)
        {
            bool isIPv6 = range.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6;
            int narrowest = isIPv6 ? NarrowestIPv6 : NarrowestIPv4;
            if (!PublicAddress.IsNoneIn(range))
            {
                report.Error(Section, "VirtualAddresses",
                    $"VirtualAddresses has {range}, whose addresses are others' own; allowed are private networks such as 10.192.0.0/10");
            }
            else if (range.PrefixLength > narrowest)
            {
                report.Error(Section, "VirtualAddresses",
                    FormattableString.Invariant($"VirtualAddresses has {range}, which is too narrow; allowed is /{narrowest} or wider"));
            }
            else if (ranges.First(one => one.BaseAddress.AddressFamily == range.BaseAddress.AddressFamily) != range)
            {
                report.Error(Section, "VirtualAddresses",
                    $"VirtualAddresses has {range}, the second network of its family; allowed is one");
            }
            else if (options.Dns.Address is not null && IsUsed(range) is { } user)
            {
                report.Error(Section, "VirtualAddresses",
                    $"VirtualAddresses has {range}, and {user} is in it: what stands for a name must be nobody's address");
            }
        }
    }

    /// <summary>Whose address that is known here lies in it; null: nobody's.</summary>
    private string? IsUsed(IPNetwork range)
    {
        var known = options.Listeners.Select(static one => ($"[Listener:{one.Name}] Address", (EndPoint?)one.Address))
            .Concat(options.Workers.Select(static one => ($"[Worker:{one.Name}] Address", (EndPoint?)one.SocksEndPoint)))
            .Append(("[Dns] Address", options.Dns.Address));
        foreach (var (name, address) in known)
        {
            if (address is IPEndPoint ip && ip.AddressFamily == range.BaseAddress.AddressFamily && range.Contains(ip.Address))
                return name;
        }

        return null;
    }
}
