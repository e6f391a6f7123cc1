using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration.Rules;

/// <summary>What cannot go together with clients that know of no proxy.</summary>
internal sealed class TransparentRules(TorBalancerOptions options, GivenValues given, RuleReport report)
{
    public void Check()
    {
        foreach (var listener in options.Listeners)
        {
            string section = $"Listener:{listener.Name}";
            if (given.AnyFailed(section, "Protocols"))
                continue;
            if (listener.Protocols.HasFlag(ListenerProtocols.Transparent))
                CheckTransparent(listener, section);
            else
                CheckOther(listener, section);
        }
    }

    private void CheckTransparent(ListenerOptions listener, string section)
    {
        if (listener.Protocols != ListenerProtocols.Transparent)
        {
            report.Error(section, "Protocols",
                "transparent stands alone: clients that know of no proxy need not speak first, so nothing tells them from others; "
                    + "allowed beside it is another [Listener:name]");
        }

        if (listener.Address is not IPEndPoint && !given.AnyFailed(section, "Address"))
            report.Error(section, "Address", "a transparent listener is on host:port or [v6]:port: nothing is turned to a unix socket");
        if (listener.Auth != ListenerAuth.None && !given.AnyFailed(section, "Auth"))
        {
            report.Error(section, "Auth", "clients of a transparent listener cannot be asked for a password: allowed is none; "
                + "AllowFrom says who may come");
        }

        if (listener.Tls is not null || given.IsSet(section, "Tls"))
            report.Error(section, "Tls", "clients of a transparent listener speak TLS with their target, if at all: leave it out");
        if (listener.ProxyProtocol is not null)
            report.Error(section, "ProxyProtocol", "nobody speaks for the clients of a transparent listener: allowed is off");
        if ((listener.Isolation ?? options.Balancing.Isolation) == IsolationMode.User && !given.AnyFailed(section, "Isolation"))
        {
            report.Warning(section, given.IsSet(section, "Isolation") ? "Isolation" : "Protocols",
                "Isolation = user keeps nobody apart here: clients of a transparent listener send no user name; client does");
        }
    }

    private void CheckOther(ListenerOptions listener, string section)
    {
        if (listener.Transparent != TransparentWay.Redirect)
            report.Warning(section, "Transparent", "Transparent says nothing without Protocols = transparent");
        if (listener.Sniff)
            report.Warning(section, "Sniff", "Sniff says nothing without Protocols = transparent");
    }
}
