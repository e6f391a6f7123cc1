using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>Who carries the connections and how they are judged: [Worker:…], [ManagedWorkers], [Health] and [Blacklist].</summary>
internal sealed partial class ConfigurationSchema
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    public SchemaSection<HealthOptions> Health { get; } = new SchemaSection<HealthOptions>("Health", "How workers are judged.")
        .Key("Enabled", Values.YesNo, "yes", "Judge workers at all; no: every configured worker is used, come what may.",
            (options, value) => options.Enabled = value)
        .Key("FailureThreshold", Values.Number(1, 100), "3", "Failures, the first one included, that make a suspect worker dead.",
            (options, value) => options.FailureThreshold = value)
        .Key("SuccessThreshold", Values.Number(1, 100), "2", "Complete probe sequences in a row that bring a worker back.",
            (options, value) => options.SuccessThreshold = value)
        .Key("SuspectWindow", Values.Duration(Tick, TimeSpan.FromHours(1)), "30s",
            "The longest a worker stays suspect before it counts as dead.",
            (options, value) => options.SuspectWindow = value)
        .Key("CheckInterval", Values.Duration(Tick, TimeSpan.FromHours(1)), "10s", "Time between probes of a healthy worker.",
            (options, value) => options.CheckInterval = value)
        .Key("RecoveryBackoff", Backoff(), "1s, 2s, 4s, 8s, 16s, 32s, 60s",
            "Waits between attempts to bring a dead worker back; the last one repeats.",
            (options, value) => options.RecoveryBackoff = value)
        .Key("Canary", Values.Canaries, "https://check.torproject.org/",
            "What a probe fetches through the worker; of several, one at a time.",
            (options, value) => options.Canary = value)
        .Key("OnionCanary", Values.OnionCanary, "", "An onion service to probe as well.",
            (options, value) => options.OnionCanary = value)
        .Key("Connectivity", Values.Reachables, "",
            "Addresses that answer when this machine has a network: while none does, no worker is declared dead; empty: not checked.",
            (options, value) => options.Connectivity = [.. value])
        .Key("ProbeTimeout", Values.Duration(Tick, TimeSpan.FromMinutes(5)), "30s", "The longest that one canary may take.",
            (options, value) => options.ProbeTimeout = value)
        .Key("StepTimeout", Values.Duration(Tick, TimeSpan.FromMinutes(5)), "5s",
            "The longest that each step takes that needs no circuit: the host, the SOCKS greeting, the control port.",
            (options, value) => options.StepTimeout = value)
        .Key("ReconnectTimeout", Values.Duration(Seconds(1), TimeSpan.FromHours(1)), "1m",
            "The longest that a worker's ReconnectCommand may run.",
            (options, value) => options.ReconnectTimeout = value)
        .Key("SlowStart", Values.Duration(TimeSpan.Zero, TimeSpan.FromHours(1), offIsZero: true), "30s",
            "How long a worker that came back takes from a tenth of its share to all of it.",
            (options, value) => options.SlowStart = value);

    public SchemaSection<AlertsOptions> Alerts { get; } = new SchemaSection<AlertsOptions>(
            "Alerts", "Who is told when a worker changes its state. The log always is.")
        .Key("Webhook", Values.Webhook, "", "Gets each event as JSON by POST, not through Tor; empty: nobody.",
            (options, value) => options.Webhook = value)
        .Key("Command", Values.Text("a command without control characters"), "", "Run by /bin/sh with the event in its environment.",
            (options, value) => options.Command = value)
        .Key("MinInterval", Values.Duration(TimeSpan.Zero, TimeSpan.FromHours(24), offIsZero: true), "1m",
            "The least time between two alerts of one worker and one kind.",
            (options, value) => options.MinInterval = value);

    public SchemaSection<BlacklistOptions> Blacklist { get; } = new SchemaSection<BlacklistOptions>(
            "Blacklist", "Relays that failed are avoided for a while.")
        .Key("Relays", Values.Word("a choice of relays", "exits", "off"), "exits",
            "Which relays are avoided after they failed; guards and middles never are.",
            (options, value) => options.Relays = value)
        .Key("Duration", Values.Duration(Seconds(1), TimeSpan.FromHours(24)), "5m", "For how long.",
            (options, value) => options.Duration = value)
        .Key("FailureThreshold", Values.Number(2, 20), "3",
            "Failures without a success that put an exit on the list, or that make a circuit count as broken.",
            (options, value) => options.FailureThreshold = value)
        .Key("MaxRelays", Values.Number(1, 64), "16", "The most exits that one worker avoids at a time.",
            (options, value) => options.MaxRelays = value)
        .Key("MinRemainingExits", Values.Number(1, 10_000), "50", "No exit is avoided when fewer than this many would remain.",
            (options, value) => options.MinRemainingExits = value)
        .Key("Rebuild", Values.YesNo, "yes", "Whether what used a broken circuit gets a new one.",
            (options, value) => options.Rebuild = value);

    public SchemaSection<WorkerDraft> Worker { get; } = new SchemaSection<WorkerDraft>(
            "Worker",
            "A tor process, or another SOCKS5 server, that you run yourself; their order is the order of mode failover.",
            nameForm: "name")
        .Key("Address", Values.WorkerAddress, "127.0.0.1",
            "Where the tor process is; a host name is refused: it would be resolved outside Tor.",
            (draft, value) => draft.Address = value)
        .Key("SocksPort", Values.PortOrSocket, "9050", "Its SocksPort.",
            (draft, value) => draft.SocksPort = value)
        .Key("ControlPort", Values.PortOrSocket, "", "Its ControlPort; empty: none.",
            (draft, value) => draft.ControlPort = value)
        .Key("ControlCookie", Values.FilePath, "", "The control port's cookie file; empty: where tor says it is.",
            (draft, value) => draft.Options.ControlCookie = value)
        .Key("ControlPassword", Values.ControlPassword, "", "The control port's password.",
            (draft, value) => draft.Options.ControlPassword = value, secret: true)
        .Key("SshPort", Values.Port, "", "A TCP port that says whether the host is up: the first step of recovery.",
            (draft, value) => draft.Options.SshPort = value)
        .Key("WgInterface", Values.WireGuardInterface, "", "The WireGuard interface towards this worker; empty: no link.",
            (draft, value) => draft.Options.WgInterface = value)
        .Key("WgHostAddress", Values.LinkAddresses, "", "Our own address on that link, or one of each family.",
            (draft, value) => draft.Options.WgHostAddresses = value)
        .Key("WgWorkerAddress", Values.Address, "",
            "The worker's own address on that link: what goes to it takes the link only. "
                + "Empty: Address, when it is in the same /24 (/64) as WgHostAddress.",
            (draft, value) => draft.Options.WgWorkerAddress = value)
        .Key("DnsPort", Values.Port, "",
            "Its DNSPort, asked over the link at WgWorkerAddress, or else at Address; empty: names are resolved over its SocksPort.",
            (draft, value) => draft.Options.DnsPort = value)
        .Key("ReconnectCommand", Values.Text("a command without control characters"), "",
            "Run in recovery to bring the worker or its link back.",
            (draft, value) => draft.Options.ReconnectCommand = value)
        .Key("Weight", Values.Number(1, 100), "1", "Its share relative to the others.",
            (draft, value) => draft.Options.Weight = value)
        .Key("Country", Values.Country, "", "Where its exits are, for clients that ask for country-xx.",
            (draft, value) => draft.Options.Country = value)
        .Key("Tor", Values.YesNo, "yes", "Whether it is tor; no: another SOCKS5 server, which gets no onion service and no RESOLVE.",
            (draft, value) => draft.Options.IsTor = value);

    public SchemaSection<DiscoveryOptions> Discovery { get; } = new SchemaSection<DiscoveryOptions>(
            "Discovery", "Workers that a DNS zone names: they come and go with its records, as with a reload.", needsRestart: true)
        .Key("Name", Values.DiscoveryName, "",
            "What is asked for: SRV records of a name like _socks._tcp.workers.example, addresses of any other; empty: nothing.",
            (options, value) => options.Name = value)
        .Key("Resolver", Values.Resolver, "none", "Whom it is asked of; the system's resolver never is.",
            (options, value) => options.Resolver = value)
        .Key("Interval", Values.Duration(Seconds(1), TimeSpan.FromHours(1)), "30s", "How often it is asked.",
            (options, value) => options.Interval = value)
        .Key("Port", Values.Number(1, 65_535), "9050", "Their SocksPort where addresses are asked for; SRV records name their own.",
            (options, value) => options.Port = value)
        .Key("ControlPort", Values.Number(0, 65_535), "0", "The ControlPort of each of them; 0: none.",
            (options, value) => options.ControlPort = value);

    public SchemaSection<ManagedWorkersOptions> ManagedWorkers { get; } = new SchemaSection<ManagedWorkersOptions>(
            "ManagedWorkers", "Tor processes that the daemon starts itself when there is no [Worker:name].", needsRestart: true)
        .Key("Count", Values.Number(0, ManagedWorkersOptions.MostWorkers), "3",
            "How many tor processes to start when no worker is configured; 0: none.",
            (options, value) => options.Count = value)
        .Key("DataDirectory", Values.AutoOrPath, "auto",
            "Where they keep their guards, and the daemon its isolation key; auto: the service's state directory, else the user's.",
            (options, value) => options.DataDirectory = value)
        .Key("TorPath", Values.AutoOrPath, "auto", "The tor executable; auto: the first one in PATH.",
            (options, value) => options.TorPath = value)
        .Key("Countries", Values.Countries, "",
            "Where their exits are: a country for each, or with its number behind it; Count follows. Empty: anywhere.",
            (options, value) => options.Countries = value)
        .Key("Bridges", Values.Bridges, "", "The bridges by which they enter the Tor network: a file, or bridge lines; empty: none.",
            (options, value) => (options.BridgesFile, options.Bridges) = (value.File, value.Lines))
        .Key("Transports", Values.Transports, "auto",
            "Programs that the bridges' transports need; auto: lyrebird, obfs4proxy, snowflake-client and the like in PATH.",
            (options, value) => options.Transports = value)
        .Key("ExtraTorrc", Values.FilePath, "", "A file with further torrc lines for each of them.",
            (options, value) => options.ExtraTorrc = value);

    private static ValueParser<List<TimeSpan>> Backoff()
    {
        var list = Values.ListOf("ascending durations from 100ms to 1h, separated by commas", Values.Duration(Tick, TimeSpan.FromHours(1)));
        return new ValueParser<List<TimeSpan>>(list.Allowed, (string text, ValueContext context, out List<TimeSpan> value) =>
        {
            var problem = list.Parse(text, context, out value);
            if (problem is not null)
                return problem;
            for (int i = 1; i < value.Count; i++)
            {
                if (value[i] < value[i - 1])
                {
                    return new ValueProblem(
                        $"does not ascend: {DurationText.Show(value[i])} comes after {DurationText.Show(value[i - 1])}");
                }
            }

            return null;
        });
    }
}
