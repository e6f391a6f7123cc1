using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Routing;

namespace TorBalancer.Tests.Routing;

public class TargetRulesTests
{
    private const string Deny =
        "*:25, *:6000-7000, 203.0.113.0/24, [2001:db8:9::/48]:443, one.example, .two.example:443, *.three.example, .onion:22";

    [TestCase("a.example:25", "*:25")]
    [TestCase("198.51.100.1:6500", "*:6000-7000")]
    [TestCase("a.example:5999", null)]
    [TestCase("203.0.113.7:80", "203.0.113.0/24")]
    [TestCase("203.0.114.7:80", null)]
    [TestCase("[::ffff:203.0.113.7]:80", "203.0.113.0/24")]
    [TestCase("[64:ff9b::203.0.113.7]:80", "203.0.113.0/24")]
    [TestCase("[2002:cb00:7107::1]:80", "203.0.113.0/24")]
    [TestCase("203.0.113.7.:80", "203.0.113.0/24")]
    [TestCase("[2001:db8:9::1]:443", "[2001:db8:9::/48]:443")]
    [TestCase("[2001:db8:9::1]:80", null)]
    [TestCase("ONE.example.:80", "one.example")]
    [TestCase("a.one.example:80", null)]
    [TestCase("two.example:443", ".two.example:443")]
    [TestCase("a.b.two.example:443", ".two.example:443")]
    [TestCase("two.example:80", null)]
    [TestCase("nottwo.example:443", null)]
    [TestCase("three.example:80", null)]
    [TestCase("a.three.example:80", "*.three.example")]
    public void What_is_denied_goes_nowhere_and_the_entry_is_named(string target, string? entry)
    {
        var decision = Decide(target, [], Of(Deny));
        Assert.That(decision.Error.Cause, Is.EqualTo(entry is null ? FailureCause.None : FailureCause.RouteRejected), target);
        Assert.That(decision.Error.Detail, Is.EqualTo(entry is null ? null : $"[Listener:x] DenyTargets has {entry}"));
    }

    [TestCase("example.com:443", true)]
    [TestCase("example.com:80", false)]
    [TestCase("a.example.com:443", true)]
    [TestCase("bad.example.com:443", false)]
    [TestCase("other.example:443", false)]
    [TestCase("203.0.113.1:1", true)]
    [TestCase("[64:ff9b::203.0.113.1]:1", false)]
    public void Only_what_is_allowed_may_be_asked_for_and_deny_goes_first(string target, bool allowed) => Assert.That(
        Decide(target, Of(".example.com:443, 203.0.113.0/24"), Of("bad.example.com")).IsReject, Is.EqualTo(!allowed), target);

    /// <summary>A question about a host names no port: whoever may reach some port of it may ask.</summary>
    [TestCase("example.com", true)]
    [TestCase("denied.example", false)]
    [TestCase("other.example", false)]
    public void A_host_may_be_resolved_when_some_port_of_it_may_be_reached(string host, bool allowed)
    {
        HostEndPoint.TryCreate(host, 0, out var target);
        var rules = TargetRules.Of("Listener:x", Of("example.com:443, denied.example"), Of("*:25, denied.example"))!;
        Assert.That(rules.Check(target, isStream: false).IsError, Is.EqualTo(!allowed));
    }

    [Test]
    public void What_Route_denies_no_rule_and_no_listener_lets_through()
    {
        var options = new RouteOptions();
        options.DenyTargets.Add(Of("*:25")[0]);
        options.Rules.Add(new RuleOptions { Name = "mail", Ports = { new PortRange(25, 25) }, Route = RuleRoute.Socks });
        var decision = new RouteTable(options).Decide(Request("a.example:25"), TargetRules.Of("Listener:x", Of("*:25"), []));
        Assert.That((decision.Error.Detail, decision.Rule), Is.EqualTo(("[Route] DenyTargets has *:25", (string?)null)));
    }

    /// <summary>Whatever an address is written like: no worker is asked, whether it ends at an exit or at a link.</summary>
    [TestCase("169.254.169.254:80")]
    [TestCase("[fd00:ec2::254]:80")]
    [TestCase("[::ffff:169.254.169.254]:80")]
    [TestCase("[::ffff:a9fe:a9fe]:80")]
    [TestCase("[64:ff9b::a9fe:a9fe]:80")]
    [TestCase("[64:ff9b:1::a9fe:a9fe]:80")]
    [TestCase("[2002:a9fe:a9fe::1]:80")]
    [TestCase("[::a9fe:a9fe]:80")]
    [TestCase("127.0.0.1:80")]
    [TestCase("127.0.0.1.:80")]
    [TestCase("127.1:80")]
    [TestCase("0x7f000001:80")]
    [TestCase("0x7f.0x0.0x0.0x1:80")]
    [TestCase("0177.0.0.1:80")]
    [TestCase("017700000001:80")]
    [TestCase("2130706433:80")]
    [TestCase("2130706433.:80")]
    [TestCase("127.0.0.01:80")]
    [TestCase("0:80")]
    [TestCase("0.0.0.0:80")]
    [TestCase("[::]:80")]
    [TestCase("[::1]:80")]
    [TestCase("[0:0:0:0:0:0:0:1]:80")]
    [TestCase("10.0.0.1:80")]
    [TestCase("192.168.1.1.:80")]
    [TestCase("100.64.0.1:80")]
    [TestCase("[fe80::1]:80")]
    [TestCase("localhost:80")]
    [TestCase("LOCALHOST.:80")]
    [TestCase("a.localhost:80")]
    [TestCase("printer.local:80")]
    public void A_private_address_is_refused_in_every_spelling(string target)
    {
        foreach (var clearnet in Enum.GetValues<ClearnetRoute>())
        {
            var error = new RouteTable(new RouteOptions { Clearnet = clearnet }).Decide(Request(target)).Error;
            Assert.That(error.Cause, Is.AnyOf(FailureCause.PrivateTarget, FailureCause.RouteRejected), target);
        }
    }

    [TestCase("[fe80::1%eth0]:80")]
    [TestCase("[::1%lo]:80")]
    [TestCase("fe80::1%25eth0:80")]
    [TestCase("127.0.0.1..:80")]
    [TestCase("\uff11\uff12\uff17.0.0.1:80")]
    [TestCase("127\u30020\u30020\u30021:80")]
    public void Other_spellings_are_no_target_at_all(string target) =>
        Assert.That(HostEndPoint.TryParseAuthority(target, null, out _), Is.False);

    private static RouteDecision Decide(string target, IList<TargetPattern> allow, IList<TargetPattern> deny) =>
        new RouteTable(new RouteOptions()).Decide(Request(target), TargetRules.Of("Listener:x", allow, deny));

    private static ProxyRequest Request(string target)
    {
        Assert.That(HostEndPoint.TryParseAuthority(target, null, out var host), Is.True, target);
        return new ProxyRequest(ClientProtocol.Socks5, ProxyCommand.Connect, host, null);
    }

    private static List<TargetPattern> Of(string text)
    {
        Assert.That(Values.Targets.Parse(text, default, out var patterns), Is.Null, text);
        return patterns;
    }
}
