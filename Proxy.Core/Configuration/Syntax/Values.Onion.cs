using System.Globalization;
using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>What the instances of onion services are: addresses and checks.</summary>
internal static partial class Values
{
    /// <summary>[Publisher] ControlPort and SocksPort: there is no address beside them.</summary>
    public static ValueParser<EndPoint> TorEndPoint { get; } =
        new("a port of this machine, IP:PORT or unix:/path", ParseTorEndPoint);

    private const string Suffix = ".onion";

    /// <summary>[Instance:…] Address: without .onion, in lower case.</summary>
    public static ValueParser<string> OnionService { get; } =
        new("a v3 onion address: 56 letters and digits, and .onion", ParseOnionService);

    /// <summary>[Instance:…] HealthCheck.</summary>
    public static ValueParser<InstanceCheck> InstanceCheck { get; } = new("none, tcp:PORT or http:PORT/path", ParseInstanceCheck);

    private static ValueProblem? ParseOnionService(string text, ValueContext context, out string value)
    {
        value = text.ToLowerInvariant();
        if (value.Contains("://", StringComparison.Ordinal) || value.Contains('/') || value.Contains(':'))
            return new ValueProblem("is more than an onion address: neither a scheme nor a port nor a path belongs to it");
        if (value.EndsWith(Suffix, StringComparison.Ordinal))
            value = value[..^Suffix.Length];
        Span<byte> key = stackalloc byte[32];
        if (value.Contains('.'))
            return new ValueProblem("has a dot in front of .onion: instances are addresses without subdomains");
        if (value.Length == 16)
            return new ValueProblem("is an onion address of version 2, which tor serves no more");
        if (value.Length != OnionAddress.LabelLength)
        {
            return new ValueProblem(string.Create(
                CultureInfo.InvariantCulture, $"has {value.Length} characters before .onion, not {OnionAddress.LabelLength}"));
        }

        return OnionAddress.TryReadKey(value, key)
            ? null
            : new ValueProblem("is not a valid onion address (its checksum does not match)");
    }

    //  none | tcp:PORT | http:PORT/path
    private static ValueProblem? ParseInstanceCheck(string text, ValueContext context, out InstanceCheck value)
    {
        value = Options.InstanceCheck.None;
        if (text.Equals("none", StringComparison.OrdinalIgnoreCase))
            return null;
        int colon = text.IndexOf(':');
        string word = (colon < 0 ? text : text[..colon]).Trim().ToLowerInvariant();
        var kind = word switch
        {
            "tcp" => InstanceCheckKind.Tcp,
            "http" => InstanceCheckKind.Http,
            _ => InstanceCheckKind.None,
        };
        if (kind == InstanceCheckKind.None)
            return new ValueProblem("is no kind of check", Spelling.Closest(text, ["none"]));
        string rest = colon < 0 ? "" : text[(colon + 1)..].Trim();
        int slash = rest.IndexOf('/');
        string port = slash < 0 ? rest : rest[..slash], path = slash < 0 ? "" : rest[slash..];
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is < 1 or > 65535)
            return new ValueProblem($"has no port from 1 to 65535 behind {word}:");
        if (kind == InstanceCheckKind.Tcp && slash >= 0)
            return new ValueProblem("has a path, which only http has", $"http:{rest}");
        if (path.AsSpan().ContainsAnyExceptInRange('!', '~') || path.Contains('#'))
            return new ValueProblem("has a path with characters that no request can carry; write them as %XX");
        value = new InstanceCheck(kind, number, kind == InstanceCheckKind.Http && path.Length == 0 ? "/" : path);
        return null;
    }

    private static ValueProblem? ParseTorEndPoint(string text, ValueContext context, out EndPoint value)
    {
        if (IsUnix(text))
        {
            var wrong = ParseUnix(text, out var unix);
            value = unix;
            return wrong;
        }

        if (!text.Contains(':') && !text.Contains('.'))
        {
            var notOne = PortNumber.Parse(text, context, out int port);
            value = new IPEndPoint(IPAddress.Loopback, notOne is null ? port : 0);
            return notOne is null ? null : AddressDiagnosis.OfPort(text, notOne, "which does not belong here");
        }

        var problem = AddressText.ParseIPEndPoint(text, out var ip);
        value = ip;
        if (problem is not null)
            return AddressDiagnosis.OfEndPoint(text, problem, null);
        return ip.Port == 0 ? new ValueProblem("has port 0, which nobody can connect to") : null;
    }
}
