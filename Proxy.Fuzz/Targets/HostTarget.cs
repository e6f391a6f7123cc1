using System.Text;
using TorBalancer.Onion.Keys;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Fuzz.Targets;

/// <summary>Hosts, authorities and URLs as clients write them, onion addresses, and the file that names one (PAC).</summary>
internal static class HostTarget
{
    public static void Check(byte[] input)
    {
        string text = Encoding.Latin1.GetString(input);
        if (HostEndPoint.TryCreate(text, 8080, out var host, out string? problem))
            CheckHost(host);
        CheckProblem(problem, text);
        if (HostEndPoint.TryParseAuthority(text, 80, out var authority, out problem))
            CheckHost(authority);
        CheckProblem(problem, text);
        if (HostEndPoint.TryParseAuthority(text, null, out var full))
            Expect.Same(full, authority, "a port that is there does not depend on another");
        if (Uri.TryCreate("http://" + text, UriKind.Absolute, out var url) && HostEndPoint.TryFromUri(url, out var of, out _))
            CheckHost(of);
        if (OnionServiceAddress.TryParse(text, out var address, out _))
        {
            Expect.Same(OnionServiceAddress.TryParse(address.ToString(), out var again, out _), true, "an onion address can be read again");
            Expect.Same(again, address, "an onion address is the same when it is read again");
        }
    }

    private static void CheckProblem(string? problem, string text) =>
        Expect.That(
            problem is null || (!problem.Any(char.IsControl) && (text.Length < 24 || !problem.Contains(text, StringComparison.Ordinal))),
            "a problem repeats nothing of what was sent");

    private static void CheckHost(HostEndPoint host)
    {
        Expect.That(host.Host.Length is > 0 and <= HostEndPoint.MaxHostLength, "a host fits into SOCKS");
        Expect.That(
            host.Host.All(static c => char.IsAsciiDigit(c) || c is (>= 'a' and <= 'z') or '.' or '-' or '_' or ':'),
            "a host is written in small letters, digits and . - _ :");
        Expect.Same(HostEndPoint.TryCreate(host.Host, host.Port, out var again), true, "a canonical host is one");
        Expect.Same(again, host, "a canonical host stays as it is");
        Expect.Same(HostEndPoint.TryParseAuthority(host.ToString(), null, out again), host.Port > 0, "what is shown can be read");
        if (host.Port > 0)
            Expect.Same(again, host, "what is shown is the same when it is read");
        if (host.Port > 0 && HostEndPoint.TryParseAuthority(host.ToAuthority(80), 80, out again))
            Expect.Same(again, host, "what stands in a Host field is the same when it is read");
        Expect.That(host.Address is null || !host.IsOnion, "no address is an onion service");
        Expect.That(!host.IsOnion || !OnionAddress.IsValid(host.Host) || host.Host.Length >= OnionAddress.LabelLength, "onions are long");
        _ = host.IsPrivate;
        _ = host.IsNumber;
        SocksClientTarget.CheckTarget(host);
        if (ProxyAutoConfig.CanName(host))
            Expect.That(
                ProxyAutoConfig.Build(host, http: true, socks5: false).Contains($"\"PROXY {host}\"", StringComparison.Ordinal),
                "the file names the proxy");
    }
}
