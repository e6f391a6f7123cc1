using System.Net;

namespace TorBalancer.Configuration.Rules;

/// <summary>Compares addresses as bind(2) does.</summary>
internal static class Addresses
{
    /// <summary>True when binding both would fail: equal, or the same port with one of them on all addresses of the family.</summary>
    public static bool Clash(EndPoint left, EndPoint right)
    {
        if (left is not IPEndPoint a || right is not IPEndPoint b)
            return left.AddressFamily == right.AddressFamily && left.ToString() == right.ToString();
        if (a.Port != b.Port || a.Port == 0 || a.AddressFamily != b.AddressFamily)
            return false;
        return a.Address.Equals(b.Address) || IsAny(a.Address) || IsAny(b.Address);
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
