using System.Net;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Configuration.Rules;

/// <summary>Compares addresses as bind(2) does.</summary>
internal static class Addresses
{
    /// <summary>True when binding both would fail: equal, or the same port with one of them on all addresses of the family.</summary>
    public static bool Clash(EndPoint left, EndPoint right) => Clash(new ListenAddress(left), new ListenAddress(right));

    /// <summary>The same of two of which either may be a range of ports: one port of both is enough.</summary>
    public static bool Clash(ListenAddress left, ListenAddress right)
    {
        if (left.First is not IPEndPoint a || right.First is not IPEndPoint b)
            return left.First.AddressFamily == right.First.AddressFamily && left.First.ToString() == right.First.ToString();
        if (a.Port > Math.Max(b.Port, right.LastPort) || b.Port > Math.Max(a.Port, left.LastPort) || a.Port == 0 || b.Port == 0
            || a.AddressFamily != b.AddressFamily)
            return false;
        return a.Address.Equals(b.Address) || IsAny(a.Address) || IsAny(b.Address);
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
