using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Rules;

/// <summary>Who may use a listener, and whether anybody can.</summary>
internal sealed class ListenerRules(TorBalancerOptions options, GivenValues given, IConfigurationFiles files, RuleReport report)
{
    public void Check()
    {
        foreach (var listener in options.Listeners)
        {
            CheckListener(listener, $"Listener:{listener.Name}");
            CheckSessions(listener, $"Listener:{listener.Name}");
        }
    }

    private void CheckListener(ListenerOptions listener, string section)
    {
        bool isRemote = listener.Address is IPEndPoint ip && !IPAddress.IsLoopback(ip.Address);
        bool isGuarded = listener.Auth == ListenerAuth.Required || listener.AllowFrom.Count > 0;
        if (isRemote && !isGuarded && !given.AnyFailed(section, "Auth", "AllowFrom"))
        {
            report.Error(section, "Address", $"Address = \"{listener.AddressText}\" can be reached from other machines; "
                + "set Auth = required with Users, or AllowFrom = the networks that may use it, or listen on 127.0.0.1");
        }

        foreach (var network in listener.AllowFrom)
        {
            if (isRemote && network.PrefixLength == 0 && listener.Auth != ListenerAuth.Required)
                report.Warning(section, "AllowFrom", $"AllowFrom = {network} lets everyone use this proxy");
        }

        if (listener.AllowFrom.Count > 0 && !given.AnyFailed(section, "Address")
            && listener.Address is IPEndPoint local && IPAddress.IsLoopback(local.Address)
            && listener.ProxyProtocol is null && !listener.AllowFrom.Any(IsLoopback))
            report.Warning(section, "AllowFrom",
                $"AllowFrom lets nobody in: only clients on this machine reach {local}, and they are in none of its networks");

        if (listener.ProxyProtocol is { } balancers && !given.AnyFailed(section, "Address", "ProxyProtocol"))
            CheckBalancers(balancers, listener.Address, section);

        if (listener.Tls is { } certificate && !given.AnyFailed(section, "Tls"))
            CheckCertificate(certificate, section);

        if (given.AnyFailed(section, "Auth", "Users", "UsersFile"))
            return;
        if (isRemote && listener.Auth != ListenerAuth.None && listener.Users.Count > 0 && !given.IsSet(section, "Tls"))
        {
            report.Warning(section, "Auth",
                $"passwords are asked for on {listener.Address}, which other machines reach, and travel there in the clear; "
                    + "Tls = cert.pem, key.pem helps");
        }

        // A file may lose its last user while the daemon runs: then nobody may come, and he least of all.
        if (listener.Auth == ListenerAuth.Required && listener.Users.Count == 0 && given.IsSet(section, "UsersFile"))
        {
            report.Warning(section, "UsersFile", "there are no users in UsersFile: nobody may use this listener");
        }
        else if (listener.Auth == ListenerAuth.Required && listener.Users.Count == 0 && !given.HasUnknown(section))
        {
            report.Error(section, "Auth",
                "Auth = required, but there are no users; add Users = name:password or UsersFile = a file with them");
        }

        if (listener.Auth == ListenerAuth.None && listener.Users.Count > 0)
            report.Warning(section, given.IsSet(section, "Users") ? "Users" : "UsersFile", "the users are not asked for: Auth is none");
    }

    /// <summary>Sessions by port need ports that are known, a range needs them, and only HTTP can ask for a name.</summary>
    private void CheckSessions(ListenerOptions listener, string section)
    {
        bool isByPort = listener.Session == ListenerSession.Port;
        if (!given.AnyFailed(section, "Address", "Session"))
        {
            if (listener.LastPort > 0 && !isByPort)
            {
                report.Error(section, "Address",
                    $"Address = \"{listener.AddressText}\" is a range of ports, which needs Session = port; one port serves all else");
            }
            else if (isByPort && listener.Protocols.HasFlag(ListenerProtocols.Transparent))
            {
                report.Error(section, "Session",
                    "Session = port is for clients that choose a port; those of a transparent listener choose none: allowed is none");
            }
            else if (isByPort && listener.Address is not IPEndPoint { Port: > 0 })
            {
                report.Error(section, "Session",
                    $"Session = port, but Address = \"{listener.AddressText}\" has no port that is known; allowed there is host:port, or a "
                        + "range such as 127.0.0.1:20000-20099");
            }
        }

        if (listener.SessionLifetime > TimeSpan.Zero && !isByPort && !given.AnyFailed(section, "Session"))
        {
            report.Error(section, "SessionLifetime",
                "SessionLifetime is that of the sessions of ports, and needs Session = port; a user name says it by lifetime-10m");
        }

        if (listener.Auth == ListenerAuth.Challenge && !listener.Protocols.HasFlag(ListenerProtocols.Http)
            && !given.AnyFailed(section, "Auth", "Protocols"))
        {
            report.Error(section, "Auth", "Auth = challenge, but Protocols has no http: no other protocol can ask a client for a name");
        }
    }

    private void CheckCertificate(CertificateFiles certificate, string section)
    {
        if (CertificatePair.Read(certificate, files, out string problem) is not { } pair)
        {
            report.Error(section, "Tls", $"Tls: {problem}");
            return;
        }

        using var shown = pair.Certificate;
        var now = TimeProvider.System.GetUtcNow();
        DateTime begins = shown.NotBefore.ToUniversalTime(), expires = shown.NotAfter.ToUniversalTime();
        string path = ConfText.Printable(certificate.Certificate);
        if (expires < now)
            report.Warning(section, "Tls", FormattableString.Invariant($"Tls: the certificate in {path} expired on {expires:u}"));
        else if (begins > now)
            report.Warning(section, "Tls", FormattableString.Invariant($"Tls: the certificate in {path} is valid from {begins:u} on only"));
    }

    /// <summary>Whether they can be those who connect, and whether that is not everyone.</summary>
    private void CheckBalancers(ProxyProtocolPeers balancers, EndPoint address, string section)
    {
        bool isUnix = address is not IPEndPoint;
        if (balancers.Unix != isUnix && (isUnix || balancers.Networks.Count == 0))
        {
            report.Error(section, "ProxyProtocol", isUnix
                ? "ProxyProtocol names networks, but Address is a unix socket: allowed there is unix, for all that may connect to it"
                : $"ProxyProtocol = unix, but {address} is no unix socket: allowed there are networks");
            return;
        }

        if (address is IPEndPoint ip && IPAddress.IsLoopback(ip.Address) && !balancers.Networks.Any(IsLoopback))
        {
            report.Warning(section, "ProxyProtocol",
                $"ProxyProtocol takes the header from nobody: only this machine reaches {address}, and it is in none of its networks");
        }

        foreach (var network in balancers.Networks)
        {
            if (!isUnix && network.PrefixLength == 0)
            {
                report.Warning(section, "ProxyProtocol",
                    $"ProxyProtocol = {network} lets everyone say that he is another: AllowFrom, isolation and the log go by it");
            }
        }
    }

    private static bool IsLoopback(IPNetwork network) => network.Contains(IPAddress.Loopback) || network.Contains(IPAddress.IPv6Loopback);
}
