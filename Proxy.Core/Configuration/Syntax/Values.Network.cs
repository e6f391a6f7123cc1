using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>Addresses, ports, networks and canary targets. Nothing here ever looks a name up.</summary>
internal static partial class Values
{
    // Before those that are made from it.
    private static readonly ValueParser<int> PortNumber = Number(1, 65535);

    public static ValueParser<IPAddress> Address { get; } = new("an IP address", ParseAddress);

    /// <summary>An address that something listens on.</summary>
    public static ValueParser<EndPoint> ListenAddress { get; } =
        new("host:port, [v6]:port or unix:/path, the host an IP address or localhost", ParseListenAddress);

    /// <summary>[Listener:name] Address: such an address, or a range of its ports. Port 0: the system picks one.</summary>
    public static ValueParser<ListenAddress> ListenAddresses { get; } = new(
        "host:port, [v6]:port or unix:/path, the host an IP address or localhost; host:20000-20099 with Session = port",
        ParseListenAddresses);

    /// <summary>[Admin] Address; null for none.</summary>
    public static ValueParser<IPEndPoint?> AdminAddress { get; } =
        new("host:port or [v6]:port, or none", ParseAdminAddress);

    /// <summary>[Discovery] Resolver.</summary>
    public static ValueParser<IPEndPoint?> Resolver { get; } = new("host:port or [v6]:port, or none", ParseResolver);

    /// <summary>[Discovery] Name.</summary>
    public static ValueParser<string> DiscoveryName { get; } = new(
        "a DNS name such as _socks._tcp.workers.example or workers.example", ParseDiscoveryName);

    /// <summary>[Readiness] Address and Agent.</summary>
    public static ValueParser<IPEndPoint?> ReadinessAddress { get; } =
        new("host:port or [v6]:port, or none", ParseReadinessAddress);

    /// <summary>[Worker:…] Address: an IP address (as an end point with port 0) or a unix socket.</summary>
    public static ValueParser<EndPoint> WorkerAddress { get; } = new("an IP address, localhost or unix:/path", ParseWorkerAddress);

    public static ValueParser<int> Port { get; } = new(PortNumber.Allowed, ParsePort);

    /// <summary>SocksPort and ControlPort.</summary>
    public static ValueParser<PortOrSocket> PortOrSocket { get; } =
        new("a port from 1 to 65535, or unix:/path", ParsePortOrSocket);

    public static ValueParser<List<IPNetwork>> Networks { get; } =
        ListOf("networks such as 192.168.1.0/24 or 2001:db8::/32, separated by commas", new ValueParser<IPNetwork>("", ParseNetwork));

    /// <summary>[Listener:name] ProxyProtocol.</summary>
    public static ValueParser<ProxyProtocolPeers?> ProxyProtocolPeers { get; } = new(
        "off, or networks such as 10.0.0.5 or 192.168.1.0/24, separated by commas; unix stands for the peers of a unix socket",
        ParseProxyProtocolPeers);

    /// <summary>[Health] Connectivity.</summary>
    public static ValueParser<List<IPEndPoint>> Reachables { get; } =
        ListOf("host:port or [v6]:port, the host an IP address, several separated by commas",
            new ValueParser<IPEndPoint>("", ParseReachable));

    public static ValueParser<List<string>> Canaries { get; } =
        ListOf("host:port or http(s)://…, several separated by commas", new ValueParser<string>("", ParseCanary, IsFree: true));

    /// <summary>[Alerts] Webhook.</summary>
    public static ValueParser<string> Webhook { get; } =
        new("an http or https URL whose host is an IP address or localhost", ParseWebhook);

    public static ValueParser<string> OnionCanary { get; } =
        new("an onion address, as name.onion, name.onion:port or http(s)://name.onion/…", ParseOnionCanary);

    private static ValueProblem? ParseAddress(string text, ValueContext context, out IPAddress value) =>
        AddressText.TryLiteral(text, out value)
            ? null
            : AddressDiagnosis.OfHost(text, new ValueProblem("is not an IP address"), "which does not belong here");

    private static ValueProblem? ParseListenAddress(string text, ValueContext context, out EndPoint value)
    {
        if (IsUnix(text))
        {
            var wrong = ParseUnix(text, out var unix);
            value = unix;
            return wrong;
        }

        var problem = AddressText.ParseIPEndPoint(text, out var ip);
        value = ip;
        return problem is null ? null : AddressDiagnosis.OfEndPoint(text, problem, 1080);
    }

    private static ValueProblem? ParseListenAddresses(string text, ValueContext context, out ListenAddress value)
    {
        // A range: a dash behind the last colon with digits behind it. No address has one there.
        int dash = text.LastIndexOf('-');
        if (!IsUnix(text) && dash > text.LastIndexOf(':') && text.AsSpan(dash + 1).Trim() is { Length: > 0 } last && IsNumber(last))
            return ParseRange(text[..dash].TrimEnd(), last, out value);
        if (!IsUnix(text) && text.EndsWith('-') && AddressText.ParseIPEndPoint(text[..^1].TrimEnd(), out _) is null)
        {
            value = default;
            return new ValueProblem("is a range of ports without its last one");
        }

        var problem = ParseListenAddress(text, context, out var one);
        value = new ListenAddress(one);
        return problem;
    }

    private static bool IsNumber(ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');

    private static ValueProblem? ParseRange(string first, ReadOnlySpan<char> last, out ListenAddress value)
    {
        value = default;
        if (AddressText.ParseIPEndPoint(first, out var ip) is { } problem)
            return problem;
        if (!int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out int end) || end > IPEndPoint.MaxPort)
            return new ValueProblem("has no valid port at the end of its range; ports are 1 to 65535", ShowAllowed: false);
        if (ip.Port == 0)
            return new ValueProblem("is a range that begins with port 0, which stands for any port", ShowAllowed: false);
        if (end < ip.Port)
            return new ValueProblem("is a range that ends before it begins", ShowAllowed: false);
        int count = end - ip.Port + 1;
        if (count > Options.ListenAddress.MostPorts)
        {
            return new ValueProblem(
                string.Create(
                    CultureInfo.InvariantCulture, $"is a range of {count} ports; at most {Options.ListenAddress.MostPorts} are allowed"),
                ShowAllowed: false);
        }

        value = new ListenAddress(ip, count == 1 ? 0 : end);
        return null;
    }

    private static ValueProblem? ParseAdminAddress(string text, ValueContext context, out IPEndPoint? value) => ParseOptional(
        text, new ValueProblem("is a unix socket; that goes into Socket", ShowAllowed: false), defaultPort: 1081, out value);

    private static ValueProblem? ParseReadinessAddress(string text, ValueContext context, out IPEndPoint? value) =>
        ParseOptional(text, new ValueProblem("is a unix socket"), defaultPort: null, out value);

    private static ValueProblem? ParseResolver(string text, ValueContext context, out IPEndPoint? value)
    {
        var problem = ParseOptional(text, new ValueProblem("is a unix socket"), defaultPort: 53, out value);
        return problem ?? (value is { Port: 0 } ? new ValueProblem("has no valid port") : null);
    }

    private static ValueProblem? ParseDiscoveryName(string text, ValueContext context, out string value)
    {
        // Labels of RFC 1035, section 2.3.4, with the underscores of RFC 2782.
        const int mostOfName = 253, mostOfLabel = 63;
        value = text.TrimEnd('.').ToLowerInvariant();
        if (value.Length == 0)
            return text.Length == 0 ? null : new ValueProblem("is the root of all names");
        if (AddressLiteral.TryParse(value, out _))
            return new ValueProblem("is an address, which nobody has to be asked for: [Worker:name] takes it");
        if (HostName.EndsInNumber(value))
            return new ValueProblem("ends in a number, which no DNS name does");
        bool isName = value.Length <= mostOfName && value.Split('.').All(static label => label.Length is > 0 and <= mostOfLabel
            && label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
        return isName ? null : new ValueProblem("is no DNS name");
    }

    private static ValueProblem? ParseOptional(string text, ValueProblem isUnix, int? defaultPort, out IPEndPoint? value)
    {
        value = null;
        if (text.Equals("none", StringComparison.OrdinalIgnoreCase) || text.Equals("off", StringComparison.OrdinalIgnoreCase))
            return null;
        if (IsUnix(text))
            return isUnix;
        var problem = AddressText.ParseIPEndPoint(text, out var endPoint);
        value = endPoint;
        return problem is null ? null : AddressDiagnosis.OfEndPoint(text, problem, defaultPort);
    }

    private static ValueProblem? ParseReachable(string text, ValueContext context, out IPEndPoint value)
    {
        var problem = AddressText.ParseIPEndPoint(text, out value);
        if (problem is not null)
            return AddressDiagnosis.OfEndPoint(text, problem, null);
        return value.Port == 0 ? new ValueProblem("has no valid port") : null;
    }

    private static ValueProblem? ParseWorkerAddress(string text, ValueContext context, out EndPoint value)
    {
        value = null!;
        if (IsUnix(text))
        {
            var problem = ParseUnix(text, out var unix);
            value = unix;
            return problem;
        }

        // The brackets of [v6]:port, which other keys need, say nothing else here.
        string host = text is ['[', .. var inner, ']'] && inner.Contains(':') ? inner : text;
        if (AddressText.TryHost(host, out var address) && !(host == text && AddressDiagnosis.HidesPort(text)))
        {
            value = new IPEndPoint(address, 0);
            string? loopback = address.Equals(IPAddress.Any) ? "127.0.0.1" : address.Equals(IPAddress.IPv6Any) ? "::1" : null;
            return loopback is not null
                ? new ValueProblem("stands for every address of this machine and is none to connect to", loopback)
                : AddressText.CheckZone(address);
        }

        bool looksLikeName = text.Any(char.IsAsciiLetter) && !text.Contains(':') && !text.Contains('/');
        return AddressDiagnosis.OfHost(text, looksLikeName
            ? new ValueProblem("is a host name, which would have to be resolved outside Tor")
            : new ValueProblem("is not an address"), "which goes into SocksPort");
    }

    /// <summary>SshPort and DnsPort.</summary>
    private static ValueProblem? ParsePort(string text, ValueContext context, out int value) =>
        PortNumber.Parse(text, context, out value) is { } problem
            ? AddressDiagnosis.OfPort(text, problem, "which does not belong here")
            : null;

    private static ValueProblem? ParsePortOrSocket(string text, ValueContext context, out PortOrSocket value)
    {
        if (IsUnix(text))
        {
            var wrong = ParseUnix(text, out var unix);
            value = new PortOrSocket(0, unix);
            return wrong;
        }

        var problem = PortNumber.Parse(text, context, out int port);
        value = new PortOrSocket(port, null);
        return problem is null ? null : AddressDiagnosis.OfPort(text, problem, "which goes into Address");
    }

    private static ValueProblem? ParseProxyProtocolPeers(string text, ValueContext context, out ProxyProtocolPeers? value)
    {
        value = null;
        if (text.Equals("off", StringComparison.OrdinalIgnoreCase))
            return null;
        bool isUnix = false;
        var networks = new List<IPNetwork>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (part.Equals("unix", StringComparison.OrdinalIgnoreCase))
            {
                isUnix = true;
                continue;
            }

            if (part.Length == 0)
                return new ValueProblem("has an empty item between its commas");
            if (ParseNetwork(part, context, out var network) is { } problem)
            {
                return part == text
                    ? problem
                    : problem with { What = $"has \"{ConfText.Printable(part)}\", which {problem.What}", Item = part };
            }

            networks.Add(network);
        }

        value = new ProxyProtocolPeers(isUnix, networks);
        return null;
    }

    private static ValueProblem? ParseNetwork(string text, ValueContext context, out IPNetwork value)
    {
        value = default;
        int slash = text.IndexOf('/');
        string literal = slash < 0 ? text : text[..slash];
        if (!AddressText.TryLiteral(literal, out var address))
            return AddressDiagnosis.OfNetwork(text, new ValueProblem("is not a network", AddressDiagnosis.Network(text)));
        if (literal.Contains('%'))
            return new ValueProblem("names an interface, which no network has", literal[..literal.IndexOf('%')] + text[literal.Length..]);
        if (slash < 0 && AddressDiagnosis.HidesPort(text))
        {
            return new ValueProblem("seems to carry a port, and a network has none (with /128 it is an address)",
                text[..text.LastIndexOf(':')]);
        }

        int bits = address.GetAddressBytes().Length * 8;
        int length = bits;

        // ::ffff:10.0.0.0/104 is 10.0.0.0/8: the address has become one of IPv4, and its prefix with it.
        int mapped = bits == 32 && literal.Contains(':') ? 96 : 0;
        if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out length)
            || length < mapped || length > mapped + bits))
        {
            string? meant = mapped == 0 ? AddressDiagnosis.Network(text)
                : length is > 0 and <= 32 ? string.Create(CultureInfo.InvariantCulture, $"{address}/{length}") : null;
            return new ValueProblem(
                string.Create(CultureInfo.InvariantCulture, $"has no prefix length from {mapped} to {mapped + bits}"), meant);
        }

        length -= slash >= 0 ? mapped : 0;

        byte[] masked = address.GetAddressBytes();
        for (int bit = length; bit < bits; bit++)
            masked[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        var network = new IPAddress(masked);
        value = new IPNetwork(network, length);

        // IPNetwork drops scope ids as well, so compare with what was written only by its bits.
        return masked.AsSpan().SequenceEqual(address.GetAddressBytes())
            ? null
            : new ValueProblem("has bits set behind its prefix", string.Create(CultureInfo.InvariantCulture, $"{network}/{length}"));
    }

    private static ValueProblem? ParseCanary(string text, ValueContext context, out string value)
    {
        value = text;
        if (!text.Contains("://", StringComparison.Ordinal))
        {
            return HostEndPoint.TryParseAuthority(text, null, out var target)
                ? CheckOnion(target)
                : new ValueProblem("is neither host:port nor a URL", AsUrl(text));
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0
            || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps))
            return new ValueProblem("is not an http or https URL");
        if (url.UserInfo.Length > 0)
            return new ValueProblem("carries a user name, which is not sent");
        return HostEndPoint.TryFromUri(url, out var host, out string? wrong) ? CheckOnion(host) : new ValueProblem($"has {wrong}");
    }

    /// <summary>What a canary connects to; false for what is none.</summary>
    internal static bool TryCanaryTarget(string text, out HostEndPoint target)
    {
        if (!text.Contains("://", StringComparison.Ordinal))
            return HostEndPoint.TryParseAuthority(text, null, out target);
        target = default;
        return Uri.TryCreate(text, UriKind.Absolute, out var url) && HostEndPoint.TryFromUri(url, out target, out _);
    }

    private static ValueProblem? ParseOnionCanary(string text, ValueContext context, out string value)
    {
        value = text;
        if (HostEndPoint.TryCreate(text, 80, out var bare) && bare.IsOnion)
            value = text + ":80";
        var problem = ParseCanary(value, context, out value);
        if (problem is not null)
            return text.Contains(".onion", StringComparison.OrdinalIgnoreCase) ? problem : new ValueProblem("is not an onion address");
        return TryCanaryTarget(value, out var target) && target.IsOnion ? null : new ValueProblem("is not an onion address");
    }

    private static ValueProblem? ParseWebhook(string text, ValueContext context, out string value)
    {
        value = text;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps))
        {
            string? meant = text.Contains("://", StringComparison.Ordinal) ? null : "http://" + text;
            return new ValueProblem("is not an http or https URL", meant);
        }

        if (url.UserInfo.Length > 0)
            return new ValueProblem("carries a user name, which is not sent");
        bool isHost = url.HostNameType == UriHostNameType.IPv6
            ? AddressText.TryHost(url.Host.Trim('[', ']'), out _)
            : HostEndPoint.TryFromUri(url, out var target, out _) && AddressText.TryHost(target.Host, out _);
        return isHost ? null : new ValueProblem("has a host that is not an IP address (names are not looked up here)");
    }

    /// <summary>A name alone as the URL that is fetched from it; null when it is no name.</summary>
    private static string? AsUrl(string text)
    {
        string rest = text[(text.IndexOf(':') + 1)..].TrimStart('/');
        int slash = rest.IndexOf('/');
        string host = slash < 0 ? rest : rest[..slash];
        return host.Contains('.') && HostEndPoint.TryCreate(host, 443, out _)
            ? $"https://{host}/{(slash < 0 ? "" : rest[(slash + 1)..])}"
            : null;
    }

    private static ValueProblem? CheckOnion(HostEndPoint target) =>
        target.IsOnion && !OnionAddress.IsValid(target.Host)
            ? new ValueProblem(IsVersion2(target.Host)
                ? "is an onion address of version 2, which tor serves no more"
                : "is not a valid onion address (its checksum does not match)")
            : null;

    private static bool IsVersion2(string host) => host.TrimEnd('.').Split('.') is [.., { Length: 16 }, _];
}
