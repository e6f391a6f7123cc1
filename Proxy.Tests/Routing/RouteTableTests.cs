using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Routing;

namespace TorBalancer.Tests.Routing;

public class RouteTableTests
{
    private const string Onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    [TestCase("example.org:443", ClearnetRoute.Wireguard, "video")]
    [TestCase("WWW.Example.ORG.:443", ClearnetRoute.Wireguard, "video")]
    [TestCase("notexample.org:443", ClearnetRoute.Auto, null)]
    [TestCase("example.org:80", ClearnetRoute.Auto, null)]
    [TestCase("10.1.2.3:80", ClearnetRoute.Socks, "lan")]
    [TestCase("10.1.2.3.:80", ClearnetRoute.Socks, "lan", Description = "the root dot makes no name of it")]
    [TestCase("11.1.2.3:80", ClearnetRoute.Auto, null)]
    [TestCase("[2001:db8::1]:80", ClearnetRoute.Socks, "lan")]
    [TestCase("lan.test:6500", ClearnetRoute.Socks, "ports")]
    public void Decide_first_rule_that_fits_decides(string target, ClearnetRoute route, string? rule)
    {
        var decision = Table(ClearnetRoute.Auto).Decide(Request(target));

        Assert.That((decision.Route, decision.Rule, decision.IsReject), Is.EqualTo((route, rule, false)));
    }

    [TestCase("mail.test:25")]
    [TestCase("192.0.2.1:25")]
    [TestCase("ads.example.org:443")]
    public void Decide_rejected_target_goes_nowhere(string target)
    {
        var decision = Table(ClearnetRoute.Auto).Decide(Request(target));

        Assert.That(decision.Error.Cause, Is.EqualTo(FailureCause.RouteRejected));
        Assert.That(decision.Error.Detail, Does.StartWith("[Rule:"));
    }

    [TestCase(ClearnetRoute.Auto)]
    [TestCase(ClearnetRoute.Socks)]
    [TestCase(ClearnetRoute.Wireguard)]
    public void Decide_onion_service_never_takes_a_link(ClearnetRoute clearnet)
    {
        var rules = new RouteOptions { Clearnet = clearnet };
        rules.Rules.Add(Rule("all", RuleRoute.Wireguard, domain: "onion"));

        Assert.That(new RouteTable(rules).Decide(Request(Onion + ":80")).Route, Is.EqualTo(ClearnetRoute.Socks));
        Assert.That(
            new RouteTable(new RouteOptions { Clearnet = clearnet }).Decide(Request(Onion + ":80")).Route, Is.EqualTo(ClearnetRoute.Socks));
    }

    [Test]
    public void Decide_malformed_onion_address_goes_nowhere() =>
        Assert.That(Table(ClearnetRoute.Wireguard).Decide(Request("x.onion:80")).Error.Cause, Is.EqualTo(FailureCause.OnionAddressInvalid));

    /// <summary>Each is 10.0.0.1 to a resolver that reads addresses as inet_aton(3) does; [Rule:lan] must not be evaded so.</summary>
    [TestCase("10.1:80")]
    [TestCase("012.0.0.1:80")]
    [TestCase("0xa.1:80")]
    [TestCase("167772161:80")]
    [TestCase("0x0a000001:80")]
    public void Decide_number_that_is_no_address_goes_nowhere(string target)
    {
        var decision = Table(ClearnetRoute.Auto).Decide(Request(target));

        Assert.That((decision.Error.Cause, decision.Rule), Is.EqualTo((FailureCause.RouteRejected, (string?)null)));
        Assert.That(decision.Error.Detail, Does.Contain("four decimal numbers"));
    }

    [TestCase("a.b.exit:80")]
    [TestCase("EXIT.:80")]
    public void Decide_exit_notation_of_tor_goes_nowhere(string target) =>
        Assert.That(Table(ClearnetRoute.Auto).Decide(Request(target)).Error.Cause, Is.EqualTo(FailureCause.RouteRejected));

    [TestCase("localhost:80")]
    [TestCase("Printer.Local.:631")]
    [TestCase("192.168.1.1:80")]
    [TestCase("192.168.1.1:6500", Description = "a rule of ports alone says nothing of private targets")]
    [TestCase("[::1]:80")]
    [TestCase("[fe80::1]:443")]
    public void Decide_private_target_goes_nowhere(string target)
    {
        foreach (var clearnet in Enum.GetValues<ClearnetRoute>())
        {
            var decision = Table(clearnet).Decide(Request(target));
            Assert.That((decision.Error.Cause, decision.Rule), Is.EqualTo((FailureCause.PrivateTarget, (string?)null)));
        }
    }

    [TestCase("192.168.1.1:25", "smtp", true, Description = "a rejecting rule is told as itself")]
    [TestCase("127.0.0.1:80", "wide", false)]
    [TestCase("10.0.0.1:80", "lan", true)]
    [TestCase("nas.local:80", "names", true)]
    [TestCase("localhost:80", "all", false, Description = "no domain of the rule is local")]
    public void Decide_private_target_goes_where_a_rule_about_private_ones_sends_it(string target, string rule, bool decides)
    {
        var options = new RouteOptions();
        options.Rules.Add(Rule("smtp", RuleRoute.Reject, new PortRange(25, 25)));
        options.Rules.Add(Rule("wide", RuleRoute.Socks, network: "0.0.0.0/0"));
        options.Rules.Add(Rule("all", RuleRoute.Socks));
        options.Rules.Add(Rule("lan", RuleRoute.Socks, network: "10.0.0.0/8"));
        options.Rules.Add(Rule("names", RuleRoute.Socks, domain: "local"));

        var decision = new RouteTable(options).Decide(Request(target));

        Assert.That(decision.Rule == rule, Is.EqualTo(decides));
        Assert.That(decision.Error.Cause == FailureCause.PrivateTarget, Is.EqualTo(!decides));
    }

    [TestCase(ProxyCommand.Resolve, "localhost")]
    [TestCase(ProxyCommand.Resolve, "nas.home.arpa")]
    [TestCase(ProxyCommand.ResolvePtr, "10.9.8.7")]
    public void Decide_question_about_a_private_target_goes_nowhere(ProxyCommand command, string host)
    {
        Assert.That(HostEndPoint.TryCreate(host, 0, out var target), Is.True);
        var decision = new RouteTable(new RouteOptions()).Decide(new ProxyRequest(ClientProtocol.Socks5, command, target, null));
        Assert.That(decision.Error.Cause, Is.EqualTo(FailureCause.PrivateTarget));
    }

    [TestCase(ProxyCommand.Resolve, "plain.test")]
    [TestCase(ProxyCommand.Resolve, "example.org")]
    [TestCase(ProxyCommand.ResolvePtr, "192.0.2.1")]
    public void Decide_question_for_a_name_goes_to_the_SocksPort_and_no_port_fits_it(ProxyCommand command, string host)
    {
        Assert.That(HostEndPoint.TryCreate(host, 25, out var target), Is.True);
        var decision = Table(ClearnetRoute.Wireguard).Decide(new ProxyRequest(ClientProtocol.Socks5, command, target, null));

        Assert.That((decision.Route, decision.IsReject), Is.EqualTo((ClearnetRoute.Socks, false)));
    }

    /// <summary>What a client's first bytes call an address picks rules; what may be asked for is the address's business.</summary>
    [TestCase("example.org", "192.0.2.1:443", "video", FailureCause.None)]
    [TestCase("other.example", "192.0.2.1:443", null, FailureCause.None)]
    [TestCase("ads.example.org", "192.0.2.1:443", "ads", FailureCause.RouteRejected)]
    [TestCase("example.org", "192.0.2.1:25", "smtp", FailureCause.RouteRejected)]
    [TestCase("example.org", "10.0.0.1:443", "lan", FailureCause.None, Description = "a rule of names says nothing of a private address")]
    [TestCase("example.org", "192.168.0.1:443", null, FailureCause.PrivateTarget)]
    public void Decide_name_that_was_sniffed_picks_a_rule(string name, string target, string? rule, FailureCause cause)
    {
        Assert.That(HostEndPoint.TryCreate(name, 0, out var named), Is.True);
        var decision = Table(ClearnetRoute.Auto).Decide(Request(target) with { Named = named });

        Assert.That((decision.Rule, decision.Error.Cause), Is.EqualTo((rule, cause)));
    }

    [TestCase("bad.example", FailureCause.RouteRejected)]
    [TestCase("good.example", FailureCause.RouteRejected, Description = "a name that a client makes up opens nothing")]
    [TestCase("worse.example", FailureCause.RouteRejected)]
    public void Decide_name_that_was_sniffed_may_be_denied_and_allows_nothing(string name, FailureCause cause)
    {
        Assert.That(HostEndPoint.TryCreate(name, 0, out var named), Is.True);
        var options = new RouteOptions();
        options.DenyTargets.Add(Pattern("bad.example"));
        options.AllowTargets.Add(Pattern("good.example"));
        var own = TargetRules.Of("Listener:x", [], [Pattern("worse.example")]);

        var decision = new RouteTable(options).Decide(Request("192.0.2.1:443") with { Named = named }, own);

        Assert.That(decision.Error.Cause, Is.EqualTo(cause));
    }

    private static TargetPattern Pattern(string name) => new(name, TargetScope.Name, name, default, TargetPattern.EveryPort);

    private static RouteTable Table(ClearnetRoute clearnet)
    {
        var options = new RouteOptions { Clearnet = clearnet };
        options.Rules.Add(Rule("ads", RuleRoute.Reject, domain: "ads.example.org"));
        options.Rules.Add(Rule("smtp", RuleRoute.Reject, new PortRange(25, 25)));
        options.Rules.Add(Rule("video", RuleRoute.Wireguard, new PortRange(443, 443), "example.org"));
        options.Rules.Add(Rule("lan", RuleRoute.Socks, network: "10.0.0.0/8"));
        options.Rules[^1].Networks.Add(IPNetwork.Parse("2001:db8::/32"));
        options.Rules.Add(Rule("ports", RuleRoute.Socks, new PortRange(6000, 7000)));
        return new RouteTable(options);
    }

    private static RuleOptions Rule(string name, RuleRoute route, PortRange? port = null, string? domain = null, string? network = null)
    {
        var rule = new RuleOptions { Name = name, Route = route };
        if (port is { } range)
            rule.Ports.Add(range);
        if (domain is not null)
            rule.Domains.Add(domain);
        if (network is not null)
            rule.Networks.Add(IPNetwork.Parse(network));
        return rule;
    }

    private static ProxyRequest Request(string target)
    {
        Assert.That(HostEndPoint.TryParseAuthority(target, null, out var parsed), Is.True);
        return new ProxyRequest(ClientProtocol.Socks5, ProxyCommand.Connect, parsed, null);
    }
}
