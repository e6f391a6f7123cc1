using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl;

public sealed class ControlEventParserTests
{
    private const string A = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private const string B = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

    private static readonly string[] Samples =
    [
        "CIRC 1 LAUNCHED",
        $"CIRC 99 FAILED ${A}~a1,${B}~r4 BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL TIME_CREATED=2026-11-20T23:41:00.123456 "
            + $"SOCKS_USERNAME=\"a\\\"b\" REASON=DESTROYED REMOTE_REASON=CONNECTFAILED",
        $"CIRC_MINOR 7 PURPOSE_CHANGED ${A}~a1 BUILD_FLAGS= PURPOSE=MEASURE_TIMEOUT OLD_PURPOSE=GENERAL",
        "STREAM 5 NEW 0 example.com:80 SOURCE_ADDR=127.0.0.1:5555 PURPOSE=USER SOCKS_USERNAME=\"\" SOCKS_PASSWORD=\"\\001\" "
            + "CLIENT_PROTOCOL=SOCKS5 NYM_EPOCH=0 SESSION_GROUP=-4 ISO_FIELDS=SOCKS_USERNAME",
        $"ORCONN ${A}~a1 CLOSED REASON=DONE NCIRCS=3 ID=17",
        $"GUARD ENTRY ${A}~a1 UP",
        "NETWORK_LIVENESS DOWN",
        "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=10 TAG=conn SUMMARY=\"Connecting\"",
        "BUILDTIMEOUT_SET COMPUTED TOTAL_TIMES=100 TIMEOUT_MS=815 XM=283 ALPHA=1.520695 CUTOFF_QUANTILE=0.800000 TIMEOUT_RATE=0.292260 "
            + "CLOSE_MS=60000 CLOSE_RATE=0.011098",
        $"HS_DESC FAILED abc NO_AUTH ${A}~a1 DESCID REASON=NOT_FOUND",
        "SOMETHING_NEW 1 A=b \"c d\" E=\"f g\"",
    ];

    [Test]
    public void Parse_of_CIRC_fills_everything()
    {
        var circuit = Parse<CircuitEvent>($"CIRC 1234 BUILT ${A}~a1,${B}=old,${A},r5 BUILD_FLAGS=IS_INTERNAL,NEED_CAPACITY "
            + $"PURPOSE=HS_CLIENT_REND HS_STATE=HSCR_JOINED "
            + "REND_QUERY=abcdef TIME_CREATED=2026-11-20T23:41:00.123456 SOCKS_USERNAME=\"<torS0X>0\" SOCKS_PASSWORD=\"abc\\001\\377\" "
            + "HS_POW=v1,20 "
            + "CONFLUX_ID=00112233445566778899AABBCCDDEEFF CONFLUX_RTT=42000 NEW_KEY=1").Circuit;

        Assert.That(circuit.Id, Is.EqualTo("1234"));
        Assert.That(circuit.Status, Is.EqualTo(CircuitStatus.Built));
        Assert.That(circuit.Path, Is.EqualTo(new RelayName[] { new(A, "a1"), new(B, "old"), new(A, null), new("", "r5") }));
        Assert.That(circuit.BuildFlags, Is.EqualTo(new[] { "IS_INTERNAL", "NEED_CAPACITY" }));
        Assert.That(circuit.Purpose, Is.EqualTo("HS_CLIENT_REND"));
        Assert.That(circuit.TimeCreated, Is.EqualTo(new DateTimeOffset(2026, 11, 20, 23, 41, 0, 123, 456, TimeSpan.Zero)));
        Assert.That(circuit.SocksPassword, Is.EqualTo("abc\u0001\u00ff"));
        Assert.That(circuit.ConfluxId, Is.EqualTo("00112233445566778899AABBCCDDEEFF"));
        Assert.That(circuit.Keywords["NEW_KEY"], Is.EqualTo("1"));
        Assert.That(circuit.Reason, Is.Null);
    }

    [Test]
    public void Parse_of_CIRC_FAILED_keeps_reason_and_remote_reason_apart()
    {
        var circuit = Parse<CircuitEvent>(Samples[1]).Circuit;
        Assert.That(circuit.Status, Is.EqualTo(CircuitStatus.Failed));
        Assert.That(circuit.Reason, Is.EqualTo("DESTROYED"));
        Assert.That(circuit.RemoteReason, Is.EqualTo("CONNECTFAILED"));
    }

    [Test, CancelAfter(10_000)]
    public void Parse_of_an_escaped_quote_in_a_username_ends()
    {
        var circuit = Parse<CircuitEvent>("CIRC 1 BUILT SOCKS_USERNAME=\"a\\\"b\" SOCKS_PASSWORD=\"x\\\\\" PURPOSE=GENERAL").Circuit;
        Assert.That(circuit.Path, Is.Empty);
        Assert.That(circuit.Keywords["SOCKS_USERNAME"], Is.EqualTo("a\"b"));
        Assert.That(circuit.SocksPassword, Is.EqualTo("x\\"));
        Assert.That(circuit.Purpose, Is.EqualTo("GENERAL"));
    }

    [Test]
    public void Parse_of_CIRC_without_path_or_with_unknown_status()
    {
        Assert.That(Parse<CircuitEvent>("CIRC 1 LAUNCHED").Circuit.Status, Is.EqualTo(CircuitStatus.Launched));
        var odd = Parse<CircuitEvent>("CIRC 1 TELEPORTED BUILD_FLAGS= REASON=UNKNOWN_99").Circuit;
        Assert.That(odd.Status, Is.EqualTo(CircuitStatus.Unknown));
        Assert.That(odd.StatusText, Is.EqualTo("TELEPORTED"));
        Assert.That(odd.BuildFlags, Is.Empty);
        Assert.That(odd.Reason, Is.EqualTo("UNKNOWN_99"));
    }

    [Test]
    public void Parse_of_CIRC_MINOR()
    {
        var circuit = Parse<CircuitMinorEvent>(Samples[2]).Circuit;
        Assert.That(circuit.StatusText, Is.EqualTo("PURPOSE_CHANGED"));
        Assert.That(circuit.Purpose, Is.EqualTo("MEASURE_TIMEOUT"));
    }

    [Test]
    public void Parse_of_STREAM_fills_everything()
    {
        var stream = Parse<StreamEvent>("STREAM 5 FAILED 17 [::1]:443 REASON=END REMOTE_REASON=RESOLVEFAILED SOURCE=EXIT "
            + "SOURCE_ADDR=127.0.0.1:5555 PURPOSE=USER SOCKS_USERNAME=\"u\" "
            + "SOCKS_PASSWORD=\"p \\\"q\" CLIENT_PROTOCOL=SOCKS5 NYM_EPOCH=2 SESSION_GROUP=-4 "
            + "ISO_FIELDS=SOCKS_USERNAME,SOCKS_PASSWORD,CLIENTADDR").Stream;

        Assert.That((stream.Id, stream.Status, stream.CircuitId), Is.EqualTo(("5", StreamStatus.Failed, "17")));
        Assert.That((stream.Target, stream.TargetHost), Is.EqualTo(("[::1]:443", "[::1]")));
        Assert.That((stream.Reason, stream.RemoteReason, stream.Source), Is.EqualTo(("END", "RESOLVEFAILED", "EXIT")));
        Assert.That((stream.SourceAddress, stream.SourcePort), Is.EqualTo(("127.0.0.1:5555", (int?)5555)));
        Assert.That((stream.Purpose, stream.SocksPassword), Is.EqualTo(("USER", "p \"q")));
    }

    [Test]
    public void Parse_of_STREAM_without_circuit_and_from_a_unix_socket()
    {
        var stream = Parse<StreamEvent>("STREAM 5 NEW 0 x.onion:80 SOURCE_ADDR=/run/tor/socks:0").Stream;
        Assert.That(stream.CircuitId, Is.Null);
        Assert.That(stream.SourcePort, Is.Null);
        Assert.That(stream.Status, Is.EqualTo(StreamStatus.New));
    }

    [Test]
    public void Parse_of_ORCONN()
    {
        var known = Parse<OrConnEvent>(Samples[4]);
        Assert.That(
            (known.Relay, known.Status, known.Reason), Is.EqualTo(((RelayName?)new RelayName(A, "a1"), OrConnStatus.Closed, "DONE")));
        var unknown = Parse<OrConnEvent>("ORCONN 192.0.2.1:9001 LAUNCHED ID=3");
        Assert.That(
            (unknown.Relay, unknown.Target, unknown.Status), Is.EqualTo(((RelayName?)null, "192.0.2.1:9001", OrConnStatus.Launched)));
    }

    [Test]
    public void Parse_of_GUARD()
    {
        var guard = Parse<GuardEvent>($"GUARD ENTRY ${A}~a1 BAD_L2");
        Assert.That((guard.Type, guard.Relay, guard.Status), Is.EqualTo(("ENTRY", new RelayName(A, "a1"), GuardStatus.BadLayer2)));
    }

    [TestCase("NETWORK_LIVENESS UP", true)]
    [TestCase("NETWORK_LIVENESS DOWN", false)]
    public void Parse_of_NETWORK_LIVENESS(string text, bool up)
        => Assert.That(Parse<NetworkLivenessEvent>(text).IsUp, Is.EqualTo(up));

    [Test]
    public void Parse_of_STATUS_CLIENT_and_STATUS_GENERAL()
    {
        var client = Parse<StatusEvent>("STATUS_CLIENT NOTICE CIRCUIT_NOT_ESTABLISHED REASON=CLOCK_JUMPED");
        Assert.That(
            (client.Name, client.Severity, client.Action, client.Reason),
            Is.EqualTo(("STATUS_CLIENT", "NOTICE", "CIRCUIT_NOT_ESTABLISHED", "CLOCK_JUMPED")));
        Assert.That(BootstrapStatus.FromEvent(client), Is.Null);
        var general = Parse<StatusEvent>("STATUS_GENERAL WARN CLOCK_SKEW SKEW=-3601 SOURCE=DIRSERV:192.0.2.1:80");
        Assert.That((general.Name, general.Keywords.Integer("SKEW")), Is.EqualTo(("STATUS_GENERAL", (long?)-3601)));
    }

    [Test]
    public void Parse_of_BOOTSTRAP_with_a_problem()
    {
        var status = BootstrapStatus.FromEvent(Parse<StatusEvent>("STATUS_CLIENT WARN BOOTSTRAP PROGRESS=5 TAG=conn "
            + "SUMMARY=\"Connecting to a relay\" WARNING=\"Network \\\"is\\\" unreachable\" REASON=NOROUTE COUNT=7 "
            + $"RECOMMENDATION=warn HOSTID=\"{A}\" HOSTADDR=\"192.0.2.1:9001\""));
        Assert.That(status, Is.EqualTo(new BootstrapStatus(5, "conn", "Connecting to a relay")
        {
            Warning = "Network \"is\" unreachable",
            Reason = "NOROUTE",
            Count = 7,
            Recommendation = "warn",
            HostId = A,
            HostAddress = "192.0.2.1:9001",
        }));
        Assert.That(status!.IsDone, Is.False);
    }

    [TestCase("NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"", 100)]
    [TestCase("NOTICE BOOTSTRAP PROGRESS=101 TAG=done", null)]
    [TestCase("NOTICE BOOTSTRAP PROGRESS=x", null)]
    [TestCase("NOTICE ENOUGH_DIR_INFO", null)]
    [TestCase("", null)]
    public void BootstrapStatus_Parse(string text, int? progress)
        => Assert.That(BootstrapStatus.Parse(text)?.Progress, Is.EqualTo(progress));

    [Test]
    public void Parse_of_BUILDTIMEOUT_SET()
    {
        var timeout = Parse<BuildTimeoutEvent>(Samples[8]);
        Assert.That((timeout.Type, timeout.Timeout), Is.EqualTo(("COMPUTED", (TimeSpan?)TimeSpan.FromMilliseconds(815))));
    }

    [Test]
    public void Parse_of_CONF_CHANGED()
    {
        var changed = (ConfChangedEvent)ControlEventParser.Parse(new ControlReply(650,
            [
                new("CONF_CHANGED"), new("ExcludeExitNodes=$AA,$BB"), new("Nickname"), new("ContactInfo=\"a \\\"b\\\" \\303\\274\""),
                new("OK")]));
        Assert.That(changed.Changes, Is.EqualTo(new KeyValuePair<string, string?>[]
        {
            new("ExcludeExitNodes", "$AA,$BB"), new("Nickname", null), new("ContactInfo", "a \"b\" ü"),
        }));
    }

    [Test]
    public void Parse_of_HS_DESC()
    {
        var failed = Parse<HsDescEvent>(Samples[9]);
        Assert.That((failed.Action, failed.Address, failed.AuthType, failed.HsDir, failed.DescriptorId, failed.Reason),
            Is.EqualTo(("FAILED", "abc", "NO_AUTH", (RelayName?)new RelayName(A, "a1"), "DESCID", "NOT_FOUND")));
        var upload = Parse<HsDescEvent>("HS_DESC UPLOADED UNKNOWN UNKNOWN UNKNOWN REPLICA=1 HSDIR_INDEX=FF");
        Assert.That((upload.Address, upload.HsDir, upload.DescriptorId), Is.EqualTo(((string?)null, (RelayName?)null, (string?)null)));
    }

    [Test]
    public void Parse_of_HS_DESC_CONTENT_has_the_descriptor()
    {
        var reply = new ControlReply(650, [new($"HS_DESC_CONTENT abc DESCID ${A}~a1", "hs-descriptor 3\nx\n"), new("OK")]);
        var found = (HsDescContentEvent)ControlEventParser.Parse(reply);
        Assert.That(
            (found.Address, found.DescriptorId, found.HsDir, found.Content),
            Is.EqualTo(("abc", "DESCID", (RelayName?)new RelayName(A, "a1"), "hs-descriptor 3\nx\n")));

        // What was not found comes without a directory that gave it, and with an empty line.
        reply = new ControlReply(650, [new("HS_DESC_CONTENT UNKNOWN DESCID UNKNOWN", "\n"), new("OK")]);
        found = (HsDescContentEvent)ControlEventParser.Parse(reply);
        Assert.That((found.Address, found.HsDir, found.Content), Is.EqualTo(((string?)null, (RelayName?)null, "\n")));
    }

    [Test]
    public void Parse_of_an_unknown_event_keeps_all_of_it()
    {
        var reply = new ControlReply(650, [new(Samples[10]), new("X", "data\n"), new("OK")]);
        var unknown = (GenericEvent)ControlEventParser.Parse(reply);
        Assert.That(
            (unknown.Name, unknown.Text, unknown.Keywords["A"], unknown.Keywords["e"]),
            Is.EqualTo(("SOMETHING_NEW", "1 A=b \"c d\" E=\"f g\"", "b", "f g")));
        Assert.That(unknown.Lines[1].Data, Is.EqualTo("data\n"));
    }

    [TestCase("")]
    [TestCase("CIRC")]
    [TestCase("CIRC 1")]
    [TestCase("STREAM 1 NEW 0")]
    [TestCase("GUARD ENTRY")]
    [TestCase("NETWORK_LIVENESS MAYBE")]
    [TestCase("STATUS_CLIENT NOTICE")]
    [TestCase("HS_DESC X")]
    [TestCase("HS_DESC_CONTENT X Y")]
    [TestCase("ORCONN x")]
    public void Parse_of_a_known_event_that_lacks_something_is_generic(string text)
        => Assert.That(ControlEventParser.Parse(new ControlReply(650, [new(text)])), Is.InstanceOf<GenericEvent>());

    [Test, CancelAfter(60_000)]
    public void Parse_of_mutated_and_cut_input_never_throws()
    {
        var random = new Random(20261121);
        for (int round = 0; round < 20_000; round++)
        {
            var text = Samples[random.Next(Samples.Length)].ToCharArray();
            for (int i = random.Next(0, 4); i > 0; i--)
                text[random.Next(text.Length)] = random.Next(2) == 0 ? " \"\\=,$~:0"[random.Next(9)] : (char)random.Next(256);
            string cut = new(text, 0, random.Next(text.Length + 1));
            var parsed = ControlEventParser.Parse(new ControlReply(650, [new(cut), new(cut), new("OK")]));
            Touch(parsed);
        }
    }

    // Values are converted when they are asked for.
    private static void Touch(ControlEvent parsed)
    {
        switch (parsed)
        {
            case CircuitEvent { Circuit: var c }:
                _ = (c.Status, c.BuildFlags, c.TimeCreated, c.Path.Select(hop => hop.ToString()).ToList());
                break;
            case StreamEvent { Stream: var s }:
                _ = (s.Status, s.TargetHost, s.SourcePort);
                break;
            case BuildTimeoutEvent b:
                _ = b.Timeout;
                break;
            case StatusEvent s:
                _ = BootstrapStatus.FromEvent(s);
                break;
            case OrConnEvent o:
                _ = (o.Relay, o.Status);
                break;
        }
    }

    private static T Parse<T>(string text)
        where T : ControlEvent
    {
        var parsed = ControlEventParser.Parse(new ControlReply(650, [new(text)]));
        Assert.That(parsed, Is.InstanceOf<T>());
        return (T)parsed;
    }
}
