using System.Text.Json;
using TorBalancer.Daemon.Doctor;

namespace TorBalancer.Tests.Doctor;

public class NftRuleTests
{
    private const string Lan = """{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lan0"}}""";

    [Test]
    public void Rule_of_a_chain_that_is_jumped_to_has_what_leads_there()
    {
        var rules = NftRule.Read($$$$"""
            {"nftables":[{"metainfo":{"version":"1"}},
            {"chain":{"family":"inet","table":"t","name":"input","type":"filter","hook":"input","prio":0,"policy":"accept"}},
            {"chain":{"family":"inet","table":"t","name":"from_lan"}},
            {"chain":{"family":"inet","table":"t","name":"nobody_jumps"}},
            {"rule":{"family":"inet","table":"t","chain":"input","expr":[{{{{Lan}}}},{"jump":{"target":"from_lan"}}]}},
            {"rule":{"family":"inet","table":"t","chain":"nobody_jumps","expr":[{"drop":null}]}},
            {"rule":{"family":"inet","table":"t","chain":"from_lan","expr":[
              {"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":{"set":[53,67]}}},{"counter":{"packets":1}},
              {"drop":null}]}}]}
            """);

        var rule = rules.Single();
        Assert.That(
            (rule.Family, rule.Table, rule.Hook, rule.Interface, rule.IsConditional, rule.Turns, rule.Drops),
            Is.EqualTo(("inet", "t", NftHook.Input, "lan0", false, (int?)null, true)));
        Assert.That((rule.Protocols, rule.Ports), Is.EqualTo((new[] { "udp" }, new[] { 53, 67 })));
    }

    [TestCase("""{"redirect":{"port":1082}}""", 1082)]
    [TestCase("""{"tproxy":{"family":"ip","port":1082}}""", 1082)]
    [TestCase("""{"redirect":null}""", null, Description = "to the same port")]
    [TestCase("""{"accept":null}""", null)]
    public void Port_that_connections_are_turned_to_is_read(string statement, int? port)
    {
        var rules = NftRule.Read($$$$"""
            {"nftables":[{"chain":{"family":"ip","table":"t","name":"c","type":"nat","hook":"prerouting","prio":-100,"policy":"accept"}},
            {"rule":{"family":"ip","table":"t","chain":"c","expr":[{{{{Lan}}}},
            {"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":{"set":["tcp","udp"]}}},{{{{statement}}}}]}}]}
            """);

        Assert.That((rules.Single().Turns, rules.Single().Interface), Is.EqualTo((port, "lan0")));
        Assert.That((rules[0].IsOfProtocol("udp"), rules[0].IsOfVersion(4), rules[0].IsOfVersion(6)), Is.EqualTo((true, true, false)));
    }

    /// <summary>What this reader does not know makes a rule hold for some packets only, never for all.</summary>
    [TestCase("""{"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"wan0"}}""")]
    [TestCase("""{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"10.0.0.1"}}""")]
    [TestCase("""{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["new"]}}""")]
    [TestCase("""{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":"@ports"}}""")]
    [TestCase("""{"limit":{"rate":1,"per":"second"}}""")]
    public void Condition_that_is_not_known_is_one(string condition)
    {
        var rules = NftRule.Read($$$$"""
            {"nftables":[{"chain":{"family":"inet","table":"t","name":"f","type":"filter","hook":"forward","prio":0,"policy":"accept"}},
            {"rule":{"family":"inet","table":"t","chain":"f","expr":[{{{{condition}}}},{"drop":null}]}}]}
            """);

        Assert.That((rules.Single().IsConditional, rules.Single().Drops), Is.EqualTo((true, true)));
    }

    [Test]
    public void Rule_for_a_set_of_interfaces_is_one_for_each()
    {
        var rules = NftRule.Read("""
            {"nftables":[{"chain":{"family":"inet","table":"t","name":"f","type":"filter","hook":"forward","prio":0,"policy":"accept"}},
            {"rule":{"family":"inet","table":"t","chain":"f","expr":[
              {"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":{"set":["eth1","eth2"]}}},{"drop":null}]}}]}
            """);

        Assert.That(rules.Select(static rule => rule.Interface), Is.EqualTo(new[] { "eth1", "eth2" }));
        Assert.That(rules, Has.All.Matches<NftRule>(static rule => rule is { Drops: true, IsConditional: false }));
    }

    [Test]
    public void Chain_that_jumps_to_itself_ends() => Assert.That(
        NftRule.Read("""
            {"nftables":[{"chain":{"family":"inet","table":"t","name":"c","type":"filter","hook":"input","prio":0,"policy":"accept"}},
            {"rule":{"family":"inet","table":"t","chain":"c","expr":[{"jump":{"target":"c"}}]}}]}
            """),
        Is.Empty);

    [TestCase("")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{\"nftables\":1}")]
    public void What_is_no_ruleset_is_refused(string text) => Assert.Catch<JsonException>(() => NftRule.Read(text));
}
