using System.Text.Json;
using TorBalancer.Daemon.Doctor;

namespace TorBalancer.Tests.Doctor;

/// <summary>What becomes of a packet by rules as nft writes them; those that nft itself has loaded are in GatewayFilesTests.</summary>
public class NftRulesetTests
{
    private const string Lan = """{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lan0"}}""";

    private const string Flags = """{"payload":{"protocol":"tcp","field":"flags"}}""";

    private static readonly NftPacket Https = new("lan0", 4, "tcp", 443), Anything = new("lan0", 4);

    [Test]
    public void Chain_that_is_jumped_to_decides_and_goes_on_behind_the_jump_where_it_does_not()
    {
        var rules = Read(
            Chain("input", "accept"), """{"chain":{"family":"inet","table":"t","name":"from_lan"}}""",
            """{"chain":{"family":"inet","table":"t","name":"nobody_jumps"}}""",
            Rule("c", Lan, """{"jump":{"target":"from_lan"}}"""), Rule("nobody_jumps", """{"drop":null}"""),
            Rule(
                "from_lan", """{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":{"set":[53,67]}}}""",
                """{"counter":{"packets":1}}""", """{"drop":null}"""),
            Rule("from_lan", """{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"tcp"}}""", """{"return":null}"""),
            Rule("from_lan", """{"drop":null}"""),
            Rule("c", """{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":22}}""", """{"drop":null}"""));

        Assert.That(EndsOf(rules, NftHook.Input, new NftPacket("lan0", 4, "udp", 53)), Is.EqualTo("Drop"));
        Assert.That(EndsOf(rules, NftHook.Input, new NftPacket("lan0", 4, "udp", 54)), Is.EqualTo("Drop"));
        Assert.That(EndsOf(rules, NftHook.Input, Https), Is.EqualTo("Accept"));
        Assert.That(EndsOf(rules, NftHook.Input, Https with { Port = 22 }), Is.EqualTo("Drop"));
        Assert.That(EndsOf(rules, NftHook.Input, new NftPacket("wan0", 6, "udp", 53)), Is.EqualTo("Accept"));
        Assert.That(EndsOf(rules, NftHook.Input, Anything), Is.EqualTo("Drop Accept"), "some of it");
        Assert.That(rules.Devices, Is.EqualTo(new[] { "lan0" }));
    }

    [TestCase("""{"redirect":{"port":1082}}""", "Turn:1082")]
    [TestCase("""{"tproxy":{"family":"ip","port":1082}}""", "Turn:1082")]
    [TestCase("""{"dnat":{"family":"ip","addr":"10.0.0.1","port":1082}}""", "Turn:1082", Description = "this machine's address")]
    [TestCase("""{"dnat":{"family":"ip","addr":"127.0.0.1","port":1082}}""", "Turn:1082")]
    [TestCase("""{"dnat":{"family":"ip","addr":"10.0.0.2","port":1082}}""", "Away:1082 to 10.0.0.2")]
    [TestCase("""{"dnat":{"family":"ip","addr":"10.0.0.2","flags":["random"]}}""", "Away:443 to 10.0.0.2")]
    [TestCase("""{"dnat":{"port":1082}}""", "Away:1082 to the one it was sent to")]
    [TestCase(
        """{"dnat":{"family":"ip","addr":{"range":["10.0.0.2","10.0.0.5"]},"port":{"range":[80,90]}}}""", "Away:0 to 10.0.0.2, 10.0.0.5")]
    [TestCase("""{"dnat":{"family":"ip","addr":{"prefix":{"addr":"10.1.0.0","len":24}}}}""", "Away:443 to 10.1.0.0")]
    [TestCase("""
        {"dnat":{"family":"ip","port":1082,
          "addr":{"map":{"key":{"numgen":{"mode":"inc"}},"data":{"set":[[0,"10.0.0.1"],[1,"10.0.0.2"]]}}}}}
        """, "Away:1082 to 10.0.0.2 Turn:1082")]
    [TestCase("""
        {"dnat":{"family":"ip","addr":{"map":{"key":{"payload":{"protocol":"tcp","field":"dport"}},
          "data":{"set":[[443,{"concat":["10.0.0.2",8443]}]]}}}}}
        """, "Away:443 to 10.0.0.2")]
    [TestCase("""
        {"dnat":{"family":"ip","addr":{"map":{"key":{"payload":{"protocol":"ip","field":"saddr"}},"data":"@there"}}}}
        """, "Turn:443")]
    [TestCase("""
        {"dnat":{"family":"ip","addr":{"map":{"key":{"payload":{"protocol":"ip","field":"saddr"}},"data":"@unheard_of"}}}}
        """, "Away:443 to one that an expression decides")]
    [TestCase("""{"redirect":null}""", "Turn:443", Description = "to the same port")]
    [TestCase("""{"redirect":{"port":{"range":[83,85]}}}""", "Turn:0", Description = "not known")]
    [TestCase("""{"xt":{"type":"target","name":"REDIRECT"}}""", "Turn:0", Description = "of iptables, whose port nft does not show")]
    [TestCase("""{"xt":{"type":"target","name":"DNAT"}}""", "Turn:0 Away:0 to one that nft does not show")]
    [TestCase("""{"xt":{"type":"target","name":"REJECT"}}""", "Drop", Description = "of iptables")]
    [TestCase("""{"accept":null}""", "Accept")]
    [TestCase("""{"reject":{"type":"tcp reset"}}""", "Drop")]
    [TestCase("""{"counter":{"packets":1}}""", "Accept", Description = "the policy")]
    public void Verdict_is_read(string statement, string end)
    {
        var rules = Read(
            """{"chain":{"family":"ip","table":"t","name":"c","type":"nat","hook":"prerouting","prio":-100,"policy":"accept"}}""",
            """
            {"map":{"family":"ip","table":"t","name":"there","type":"ipv4_addr","map":"ipv4_addr","elem":[["10.0.0.9","10.0.0.1"]]}}
            """,
            RuleOf("ip", "c", Lan, """{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":{"set":["tcp","udp"]}}}""", statement));

        Assert.That(EndsOf(rules, NftHook.Prerouting, Https), Is.EqualTo(end));
        Assert.That(rules.Pass(NftHook.Prerouting, Https with { Version = 6 }), Is.Empty, "of the family ip");
        Assert.That(rules.Pass(NftHook.Prerouting, Https).Single().Chain.ToString(), Is.EqualTo("table ip t, chain c"));
    }

    [TestCase("""{"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"wan0"}}""", true)]
    [TestCase("""{"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"lan0"}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lan*"}}""", true)]
    [TestCase("""{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"@lans"}}""", true)]
    [TestCase("""{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"@filled"}}""", null)]
    [TestCase("""{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"@unheard_of"}}""", null)]
    [TestCase("""{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":"wan0"}}""", null)]
    [TestCase("""{"match":{"op":"==","left":{"meta":{"key":"nfproto"}},"right":"ipv6"}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":1}}""", false, Description = "nobody sets one")]
    [TestCase("""{"match":{"op":"==","left":{"&":[{"meta":{"key":"mark"}},3]},"right":1}}""", false)]
    [TestCase("""{"match":{"op":"!=","left":{"&":[{"ct":{"key":"mark"}},255]},"right":1}}""", true)]
    [TestCase("""{"match":{"op":"==","left":{"&":[{"payload":{"protocol":"ip","field":"saddr"}},255]},"right":1}}""", null)]
    [TestCase("""{"match":{"op":"in","left":FLAGS,"right":"syn"}}""", true, Description = "tcp flags syn")]
    [TestCase("""{"match":{"op":"in","left":FLAGS,"right":["ack","syn"]}}""", true)]
    [TestCase("""{"match":{"op":"in","left":FLAGS,"right":["ack","rst"]}}""", false)]
    [TestCase("""{"match":{"op":"in","left":FLAGS,"right":"cwr"}}""", null, Description = "of hosts with congestion notification")]
    [TestCase("""{"match":{"op":"!","left":FLAGS,"right":"syn"}}""", false, Description = "tcp flags & syn == 0")]
    [TestCase("""{"match":{"op":"!","left":FLAGS,"right":["ack","fin"]}}""", true)]
    [TestCase("""{"match":{"op":"==","left":{"&":[FLAGS,["fin","syn","rst","ack"]]},"right":"syn"}}""", true)]
    [TestCase("""{"match":{"op":"!=","left":{"&":[FLAGS,["fin","syn","rst","ack"]]},"right":"syn"}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"&":[FLAGS,{"|":["syn","ack"]}]},"right":{"|":["syn","ack"]}}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"&":[FLAGS,255]},"right":18}}""", false, Description = "SYN and ACK")]
    [TestCase("""{"match":{"op":"==","left":FLAGS,"right":"syn"}}""", null, Description = "without ECE and CWR, that is")]
    [TestCase("""{"match":{"op":"==","left":FLAGS,"right":"ack"}}""", false)]
    [TestCase("""{"match":{"op":"==","left":FLAGS,"right":{"set":[{"|":["syn","ack"]},"rst"]}}}""", false)]
    [TestCase("""{"match":{"op":"==","left":FLAGS,"right":{"set":["rst",{"elem":{"val":"syn"}}]}}}""", null)]
    [TestCase("""{"match":{"op":"==","left":FLAGS,"right":"@unheard_of"}}""", null)]
    [TestCase("""{"match":{"op":"==","left":FLAGS,"right":"new_flag"}}""", null)]
    [TestCase("""{"match":{"op":"==","left":{"|":[FLAGS,"ack"]},"right":"syn"}}""", null)]
    [TestCase("""{"xt":{"type":"match","name":"comment"}}""", true)]
    [TestCase("""{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"10.0.0.1"}}""", null)]
    [TestCase("""{"match":{"op":"!=","left":{"payload":{"protocol":"ip6","field":"saddr"}},"right":"::1"}}""", false)]
    [TestCase("""{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["new","invalid"]}}""", true)]
    [TestCase("""{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}}""", false)]
    [TestCase("""{"match":{"op":"in","left":{"ct":{"key":"status"}},"right":"dnat"}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"range":[440,450]}}}""", true)]
    [TestCase("""
        {"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[80,{"elem":{"val":443}}]}}}
        """, true)]
    [TestCase("""{"match":{"op":">","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":1023}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":443}}""", false)]
    [TestCase("""{"match":{"op":"!=","left":{"payload":{"protocol":"udp","field":"dport"}},"right":1}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"payload":{"protocol":"th","field":"dport"}},"right":443}}""", true)]
    [TestCase("""{"match":{"op":"==","left":{"fib":{"result":"type","flags":["daddr"]}},"right":"local"}}""", false)]
    [TestCase("""{"match":{"op":"==","left":{"fib":{"result":"oif","flags":["saddr","iif"]}},"right":false}}""", null)]
    [TestCase("""
        {"match":{"op":"==","left":{"concat":[{"meta":{"key":"iifname"}},{"meta":{"key":"l4proto"}}]},
          "right":{"set":[{"concat":["lan0","udp"]},{"concat":["lan0","tcp"]}]}}}
        """, true)]
    [TestCase("""
        {"match":{"op":"==","left":{"concat":[{"meta":{"key":"iifname"}},{"meta":{"key":"oifname"}}]},
          "right":{"set":[{"concat":["wan0","lan0"]}]}}}
        """, false)]
    [TestCase("""{"limit":{"rate":1,"per":"second"}}""", null)]
    [TestCase("""{"xt":{"type":"match","name":"conntrack"}}""", null)]
    [TestCase("""{"set":{"op":"add","elem":"10.0.0.1","set":"@s","stmt":[{"limit":{"rate":10,"per":"second"}}]}}""", null)]
    [TestCase("""{"set":{"op":"add","elem":"10.0.0.1","set":"@s"}}""", true)]
    [TestCase("""{"meter":{"name":"m","key":"10.0.0.1","stmt":{"limit":{"rate":10,"per":"second"}}}}""", null)]
    [TestCase("""{"something":{"new":1}}""", true, Description = "a statement")]
    public void Condition_is_so_or_not_so_or_not_known(string condition, bool? fits)
    {
        var rules = Read(
            Chain("forward", "accept"), """{"set":{"family":"inet","table":"t","name":"lans","type":"ifname","elem":["eth9","lan0"]}}""",
            """{"set":{"family":"inet","table":"t","name":"filled","type":"ifname","flags":["dynamic"],"elem":["eth9"]}}""",
            Rule("c", condition.Replace("FLAGS", Flags), """{"drop":null}"""));

        Assert.That(
            EndsOf(rules, NftHook.Forward, Https), Is.EqualTo(fits == true ? "Drop" : fits == false ? "Accept" : "Drop Accept"));
    }

    [Test]
    public void Map_of_verdicts_gives_that_of_the_packet()
    {
        var rules = Read(
            Chain("forward", "drop"), """{"chain":{"family":"inet","table":"t","name":"x"}}""",
            """
            {"map":{"family":"inet","table":"t","name":"m","type":"ifname","map":"verdict",
              "elem":[["wan0",{"drop":null}],["lan0",{"goto":{"target":"x"}}]]}}
            """,
            Rule("c", """
                {"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["established",{"accept":null}],["invalid",{"drop":null}]]}}}
                """),
            Rule("c", """{"vmap":{"key":{"meta":{"key":"iifname"}},"data":"@m"}}"""), Rule("c", """{"accept":null}"""),
            Rule("x", """{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":53}}""", """{"accept":null}"""));

        Assert.That(EndsOf(rules, NftHook.Forward, Https), Is.EqualTo("Drop"), "goto does not come back: the policy");
        Assert.That(EndsOf(rules, NftHook.Forward, new NftPacket("lan0", 6, "udp", 53)), Is.EqualTo("Accept"));
        Assert.That(EndsOf(rules, NftHook.Forward, Anything), Is.EqualTo("Accept Drop"));
        Assert.That(EndsOf(rules, NftHook.Forward, Https with { Device = "eth5" }), Is.EqualTo("Accept"), "in no map");
        Assert.That(rules.Devices, Is.EqualTo(new[] { "wan0", "lan0" }));
    }

    [Test]
    public void Turn_of_one_version_is_none_of_the_other_and_flags_are_TCPs()
    {
        var rules = Read(
            Chain("prerouting", "accept"), Rule("c", """{"dnat":{"family":"ip6","addr":"fd00::2","port":443}}"""),
            Rule(
                "c", """{"match":{"op":"==","left":{"&":[FLAGS,["syn","ack"]]},"right":"syn"}}""".Replace("FLAGS", Flags),
                """{"drop":null}"""));

        Assert.That(EndsOf(rules, NftHook.Prerouting, Https), Is.EqualTo("Drop"));
        Assert.That(EndsOf(rules, NftHook.Prerouting, Https with { Protocol = "udp" }), Is.EqualTo("Accept"));
        Assert.That(EndsOf(rules, NftHook.Prerouting, Https with { Version = 6 }), Is.EqualTo("Away:443 to fd00::2"));
    }

    [Test]
    public void Packet_that_was_sent_on_is_one_that_connection_tracking_has_turned()
    {
        var rules = Read(
            Chain("forward", "drop"),
            Rule("c", """{"match":{"op":"in","left":{"ct":{"key":"status"}},"right":"dnat"}}""", """{"accept":null}"""));

        Assert.That(EndsOf(rules, NftHook.Forward, Https), Is.EqualTo("Drop"));
        Assert.That(EndsOf(rules, NftHook.Forward, Https with { IsSentAway = true }), Is.EqualTo("Accept"));
    }

    /// <summary>Each with an interface of its own, and ports that are turned: some ten million packets and rules to look at.</summary>
    [Test, CancelAfter(120_000)]
    public void Thousands_of_rules_are_followed()
    {
        var rules = Read(
        [
            Chain("prerouting", "accept"),
            .. Enumerable.Range(0, 5000).Select(static i => Rule(
                "c", Lan.Replace("lan0", $"eth{i % 100}"), """{"accept":null}""")),
            .. Enumerable.Range(100, 30).Select(static port => Rule(
                "c", Lan, $$$"""{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{{{port}}} }}""",
                """{"redirect":{"port":1082}}""")),
        ]);

        var ways = new GatewayWays(rules);

        Assert.That(ways.All.Select(static way => way.Device).Distinct(), Is.EqualTo(new[] { "lan0" }));
        Assert.That(ways.All, Has.Count.EqualTo(2 * 30), "of both versions");
    }

    [Test]
    public void Marks_may_be_anything_where_a_rule_sets_them()
    {
        var rules = Read(
            Chain("forward", "drop"), Rule("c", """{"mangle":{"key":{"meta":{"key":"mark"}},"value":1}}"""),
            Rule("c", """{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":1}}""", """{"accept":null}"""));

        Assert.That(EndsOf(rules, NftHook.Forward, Https), Is.EqualTo("Accept Drop"));
    }

    [Test]
    public void Chains_are_called_by_priority()
    {
        string late = Chain("forward", "accept").Replace("\"c\"", "\"late\"");
        string early = Chain("forward", "drop").Replace("\"prio\":0", "\"prio\":-5");

        Assert.That(
            Read(late, early).Pass(NftHook.Forward, Anything).Select(static one => one.Chain.Name), Is.EqualTo(new[] { "c", "late" }));
    }

    [Test]
    public void Chain_that_jumps_to_itself_ends() => Assert.That(
        EndsOf(Read(Chain("input", "accept"), Rule("c", """{"jump":{"target":"c"}}""")), NftHook.Input, Https), Is.EqualTo("Accept"));

    [TestCase("")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{\"nftables\":1}")]
    public void What_is_no_ruleset_is_refused(string text) => Assert.Catch<JsonException>(() => NftRuleset.Read(text));

    [TestCase("{\"nftables\":[]}")]
    [TestCase("{\"nftables\":[1,{},{\"chain\":2},{\"rule\":{\"expr\":[3,{}]}},{\"set\":{\"flags\":4}}]}")]
    public void What_is_not_understood_is_passed_over(string text) =>
        Assert.That(NftRuleset.Read(text).Pass(NftHook.Forward, Anything), Is.Empty);

    private static NftRuleset Read(params string[] items) => NftRuleset.Read(
        $$"""{"nftables":[{{string.Join(',', items)}}]}""", static address => address.ToString() is "10.0.0.1" or "127.0.0.1");

    private static string Chain(string hook, string policy) =>
        $$$"""{"chain":{"family":"inet","table":"t","name":"c","type":"filter","hook":"{{{hook}}}","prio":0,"policy":"{{{policy}}}"}}""";

    private static string Rule(string chain, params string[] expressions) => RuleOf("inet", chain, expressions);

    private static string RuleOf(string family, string chain, params string[] expressions) =>
        $$$"""{"rule":{"family":"{{{family}}}","table":"t","chain":"{{{chain}}}","expr":[{{{string.Join(',', expressions)}}}]}}""";

    /// <summary>Of the hook's one chain.</summary>
    private static string EndsOf(NftRuleset rules, NftHook hook, NftPacket packet) => string.Join(
        ' ', rules.Pass(hook, packet).Single().Ends.Select(
            static end => end.Fate is NftFate.Turn or NftFate.Away
                ? $"{end.Fate}:{end.Port}{(end.To is null ? "" : " to " + end.To)}" : $"{end.Fate}"));
}
