using System.Globalization;
using System.Net;

namespace TorBalancer.Testnet.Dns;

/// <summary>What a server says: a code and at most one record.</summary>
internal readonly record struct DnsAnswer(DnsCode Code, IPAddress? Address = null, string? Name = null)
{
    /// <summary>The name exists, but not with a record of the type asked for.</summary>
    public static DnsAnswer NoData => new(DnsCode.NoError);

    public static DnsAnswer NoSuchName => new(DnsCode.NameError);

    public bool HasRecord => Address is not null || Name is not null;
}

/// <summary>
/// The names that an exit of the test network sees. One zone an exit: the address of <c>origin.test</c> tells the origin
/// which exit asked, because tor leaves from 127.0.0.1 towards loopback whatever it is told.
/// </summary>
/// <param name="originAddress">Where every ordinary name below <c>.test</c> leads.</param>
/// <param name="originAddress6">Where names that have an IPv6 address lead; null: loopback.</param>
internal sealed class TestZone(IPAddress originAddress, IPAddress? originAddress6 = null)
{
    /// <summary>The name of the origin.</summary>
    public const string Origin = "origin.test";

    /// <summary>Resolves to <see cref="BlockedAddress"/>.</summary>
    public const string Blocked = "blocked.test";

    /// <summary>Does not exist, nor does anything below it.</summary>
    public const string NoSuchName = "nx.test";

    /// <summary>The server fails for it.</summary>
    public const string ServerFailure = "servfail.test";

    /// <summary>The server never answers for it.</summary>
    public const string Silent = "silent.test";

    /// <summary>Exists, without any address.</summary>
    public const string Empty = "empty.test";

    /// <summary>Has an IPv6 address only.</summary>
    public const string Ipv6Only = "ipv6.test";

    /// <summary>Has addresses of both families.</summary>
    public const string Dual = "dual.test";

    /// <summary>The address that every exit's policy refuses.</summary>
    public static IPAddress BlockedAddress { get; } = IPAddress.Parse("127.0.66.66");

    private const string ReverseV4 = ".in-addr.arpa";
    private const string ReverseV6 = ".ip6.arpa";

    /// <summary>The answer to one question; null: none, ever.</summary>
    public DnsAnswer? Resolve(string name, DnsType type)
    {
        if (name.EndsWith(ReverseV4, StringComparison.OrdinalIgnoreCase))
            return ResolvePointer(name[..^ReverseV4.Length], type);
        if (name.EndsWith(ReverseV6, StringComparison.OrdinalIgnoreCase))
            return DnsAnswer.NoSuchName;
        if (IsOrBelow(name, Silent))
            return null;
        if (IsOrBelow(name, ServerFailure))
            return new DnsAnswer(DnsCode.ServerFailure);
        if (IsOrBelow(name, NoSuchName) || !IsOrBelow(name, "test"))
            return DnsAnswer.NoSuchName;
        return type switch
        {
            DnsType.A when !IsOrBelow(name, Empty) && !IsOrBelow(name, Ipv6Only) =>
                new DnsAnswer(DnsCode.NoError, IsOrBelow(name, Blocked) ? BlockedAddress : originAddress),
            DnsType.Aaaa when IsOrBelow(name, Ipv6Only) || IsOrBelow(name, Dual) =>
                new DnsAnswer(DnsCode.NoError, originAddress6 ?? IPAddress.IPv6Loopback),
            _ => DnsAnswer.NoData,
        };
    }

    /// <summary>Every IPv4 address has a name: that of 192.0.2.7 is <c>192-0-2-7.reverse.test</c>.</summary>
    private DnsAnswer ResolvePointer(string reversed, DnsType type)
    {
        string[] parts = reversed.Split('.');
        if (parts.Length != 4 || !Array.TrueForAll(parts, p => byte.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
            return DnsAnswer.NoSuchName;
        if (type != DnsType.Ptr)
            return DnsAnswer.NoData;
        Array.Reverse(parts);
        string address = string.Join('.', parts);
        return new DnsAnswer(
            DnsCode.NoError, Name: address == originAddress.ToString() ? Origin : string.Join('-', parts) + ".reverse.test");
    }

    private static bool IsOrBelow(string name, string parent) =>
        name.EndsWith(parent, StringComparison.OrdinalIgnoreCase)
        && (name.Length == parent.Length || name[^(parent.Length + 1)] == '.');
}
