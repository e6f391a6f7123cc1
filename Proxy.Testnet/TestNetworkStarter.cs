using System.Globalization;
using TorBalancer.Processes;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet;

/// <summary>
/// Starts the nodes in the one order that is fast: authorities, relays once the authorities listen, the first vote once
/// every relay has uploaded, clients once every relay can serve them. Each shortcut around it was measured to cost 10 to
/// 60 s (a failed upload, a 404 or a missing microdescriptor is not asked for again for that long, and the next vote is
/// an interval away).
/// </summary>
internal sealed class TestNetworkStarter(
    TestNetworkPlan plan, string torPath, TimeSpan stepTimeout, TimeProvider time, Action<string> progress)
{
    // From the order to vote until the vote: all authorities must have heard it.
    private static readonly TimeSpan VoteLead = TimeSpan.FromSeconds(1);

    private readonly NodeWaiter _waiter = new(time, stepTimeout);

    /// <summary>The torrc of this network; valid after <see cref="PrepareAsync"/>.</summary>
    public Torrc? Torrc { get; private set; }

    private IEnumerable<TestNode> Servers => plan.Nodes.Where(n => n.IsRelay);

    /// <summary>Directories, keys and identities.</summary>
    public async Task<IReadOnlyList<string>> PrepareAsync(CancellationToken cancellationToken)
    {
        string genCert = Executables.Find("tor-gencert") ?? throw new TestNetworkException("tor-gencert was not found; it comes with tor");
        foreach (TestNode node in plan.Nodes)
            PrivateFiles.CreateDirectory(node.Directory);
        PrivateFiles.Write(plan.EmptyFile, "");
        for (int i = 0; i < plan.Exits.Count; i++)
            PrivateFiles.Write(plan.ResolvConf(i), $"nameserver {plan.DnsEndPoint(i)}\n");

        Task<string>[] keys = plan.Authorities.Select(a => AuthorityKeys.CreateAsync(genCert, a, cancellationToken)).ToArray();
        foreach (TestNode node in Servers)
            node.Fingerprint = RelayIdentity.Create(node.Directory);
        string[] identities = await Task.WhenAll(keys);

        // All the same weight, so that load spreads evenly and does not follow the traffic.
        long now = time.GetUtcNow().ToUnixTimeSeconds();
        string weights = string.Concat(Servers.Select(n => $"node_id=${n.Fingerprint} bw=1000 nick={n.Name}\n"));
        string history = StabilityHistory.Render(Servers, time.GetUtcNow());
        foreach (TestNode authority in plan.Authorities)
            PrivateFiles.Write(Path.Combine(authority.Directory, StabilityHistory.FileName), history);
        PrivateFiles.Write(plan.BandwidthsFile, string.Create(CultureInfo.InvariantCulture, $"{now}\n{weights}"));
        progress("keys made");
        return plan.Authorities.Zip(identities, (a, v3) => string.Create(
            CultureInfo.InvariantCulture,
            $"DirAuthority {a.Name} orport={a.OrPort} no-v2 v3ident={v3} 127.0.0.1:{a.DirPort} {a.Fingerprint}")).ToArray();
    }

    public async Task StartAsync(IReadOnlyList<string> authorityLines, CancellationToken cancellationToken)
    {
        // The vote is as far away as can be, until we know when it is wanted.
        WriteTorrcs(authorityLines, time.GetUtcNow() - TimeSpan.FromSeconds(1));
        Start(plan.Authorities);
        await _waiter.ForAllAsync(plan.Authorities, "to listen", NodeChecks.ListensAsync, cancellationToken);
        Start([.. plan.Relays, .. plan.Exits]);
        await _waiter.ForAllAsync(
            plan.Authorities, "to get every relay's descriptor", (a, ct) => NodeChecks.HasUploadsAsync(a, Servers, ct), cancellationToken);
        progress($"{Servers.Count()} relays started");

        DateTimeOffset consensus = time.GetUtcNow() + VoteLead + Torrc.VotingTime;
        WriteTorrcs(authorityLines, consensus);
        foreach (TestNode authority in plan.Authorities)
            authority.HangUp();
        await _waiter.ForAllAsync(
            plan.Authorities, "for a consensus that lists every relay", (a, ct) => NodeChecks.HasConsensusAsync(a, Servers, ct),
            cancellationToken);
        progress("consensus made");

        // They asked before it existed, and would now wait 10-17 s.
        foreach (TestNode node in (IEnumerable<TestNode>)[.. plan.Relays, .. plan.Exits])
            node.HangUp();
        await _waiter.ForAllAsync(
            [.. plan.Relays, .. plan.Exits], "to fetch every relay's descriptor", (r, ct) => NodeChecks.HasDescriptorsAsync(r, Servers, ct),
            cancellationToken);
        progress("relays ready");

        Start([plan.OnionService, .. plan.Workers]);
        await _waiter.ForAllAsync([plan.OnionService, .. plan.Workers], "to be ready", IsReadyAsync, cancellationToken);
        await ReachOnionAsync(plan.Workers, cancellationToken);
        progress($"{plan.Workers.Count} workers connected, onion service reached");
    }

    /// <summary>
    /// Starts one node that had ended and waits until it serves again. Clients of an onion service may need minutes to find it
    /// again (old descriptors, directories that they asked in vain); nobody waits for that.
    /// </summary>
    public async Task RestartAsync(TestNode node, CancellationToken cancellationToken)
    {
        node.Start(torPath, time);
        await _waiter.ForAsync(node, "to serve again", IsReadyAsync, cancellationToken);
    }

    /// <summary>The onion service's address, <c>.onion</c> included; it is there once the service runs.</summary>
    public async Task<string> ReadOnionAddressAsync(CancellationToken cancellationToken) =>
        (await File.ReadAllTextAsync(Path.Combine(plan.HiddenServiceDirectory, "hostname"), cancellationToken)).Trim();

    private async Task ReachOnionAsync(IEnumerable<TestNode> clients, CancellationToken cancellationToken)
    {
        string onion = await ReadOnionAddressAsync(cancellationToken);
        await _waiter.ForAllAsync(
            clients, "to reach the onion service", (w, ct) => NodeChecks.ReachesAsync(w, onion, ct), cancellationToken);
    }

    /// <summary>Writes every node's torrc; consensuses are made at <paramref name="consensus"/> and each interval after.</summary>
    private void WriteTorrcs(IReadOnlyList<string> authorityLines, DateTimeOffset consensus)
    {
        Torrc = new Torrc(plan, authorityLines, (int)(consensus.ToUnixTimeSeconds() % plan.VotingInterval));
        foreach (TestNode node in plan.Nodes)
            PrivateFiles.Write(node.TorrcPath, Torrc.Render(node));
    }

    private Task<bool> IsReadyAsync(TestNode node, CancellationToken cancellationToken) => node.Role switch
    {
        TestNodeRole.Worker => NodeChecks.BootstrappedAsync(node, cancellationToken),
        TestNodeRole.OnionService => NodeChecks.PublishedAsync(node, cancellationToken),
        _ => NodeChecks.HasDescriptorsAsync(node, Servers, cancellationToken),
    };

    private void Start(IEnumerable<TestNode> nodes)
    {
        foreach (TestNode node in nodes)
            node.Start(torPath, time);
    }
}
