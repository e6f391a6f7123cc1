using System.Globalization;
using System.Net;
using DnsClient;
using DnsClient.Protocol;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Daemon.Discovery;

/// <summary>
/// Asks one resolver which workers there are. What comes back is the same whatever the order of the records: workers go by the names of
/// their targets, and of several addresses of one the lowest is taken.
/// </summary>
internal sealed class DnsWorkers
{
    /// <summary>Characters of a worker's name.</summary>
    private const int MaxName = 64;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private readonly DiscoveryOptions _options;
    private readonly LookupClient _client;

    /// <param name="options">With a name and a resolver.</param>
    public DnsWorkers(DiscoveryOptions options)
    {
        _options = options;

        // Nothing else is asked: with a server given, the library does not look for the system's.
        _client = new LookupClient(new LookupClientOptions(options.Resolver!)
        {
            Timeout = Timeout,
            Retries = 2,
            UseCache = false,
            UseTcpFallback = true,
            ThrowDnsErrors = false,
        });
    }

    /// <summary>The workers, in the order of their names. Throws nothing for what the network or the resolver does.</summary>
    /// <param name="known">The addresses of before, by target: one whose address cannot be had now keeps it.</param>
    public async Task<DnsWorkersAnswer> AskAsync(IReadOnlyDictionary<string, IPAddress> known, CancellationToken cancellationToken)
    {
        try
        {
            return _options.IsService ? await AskServiceAsync(known, cancellationToken) : await AskAddressesAsync(cancellationToken);
        }
        catch (Exception failure) when (IsOfTheAnswer(failure, cancellationToken))
        {
            return DnsWorkersAnswer.Failed(failure.Message);
        }
    }

    /// <summary>The library throws more than its own base class for what a server sends: wrong ids, lengths, names.</summary>
    private static bool IsOfTheAnswer(Exception failure, CancellationToken stopping) =>
        failure is not OperationCanceledException || !stopping.IsCancellationRequested;

    private async Task<DnsWorkersAnswer> AskServiceAsync(IReadOnlyDictionary<string, IPAddress> known, CancellationToken cancellationToken)
    {
        var answer = await _client.QueryAsync(_options.Name + ".", QueryType.SRV, cancellationToken: cancellationToken);
        if (answer.HasError)
            return DnsWorkersAnswer.Failed(answer.ErrorMessage);

        // A target of "." says that the service is not to be had there (RFC 2782).
        var records = answer.Answers.SrvRecords().Where(static record => record.Target.Value is { Length: > 1 }).ToList();
        var addresses = new Dictionary<string, IPAddress>(StringComparer.OrdinalIgnoreCase);
        var workers = new List<WorkerChange>();
        string? problem = null;
        foreach (var target in records.GroupBy(static record => record.Target.Value.TrimEnd('.'), StringComparer.OrdinalIgnoreCase)
            .OrderBy(static target => target.Key, StringComparer.OrdinalIgnoreCase))
        {
            if (await AddressOfAsync(target.Key, answer, cancellationToken) is { } found)
                addresses[target.Key] = found;
            else if (known.TryGetValue(target.Key, out var before))
                addresses[target.Key] = before;
            else
            {
                problem = $"{target.Key} has no address";
                continue;
            }

            // Several ports of one machine are several workers.
            var ports = target.GroupBy(static record => record.Port).OrderBy(static port => port.Key).ToList();
            foreach (var port in ports)
            {
                string name = NameOf(target.Key) + (ports.Count > 1 ? string.Create(CultureInfo.InvariantCulture, $"-{port.Key}") : "");
                if (name.Length > MaxName)
                    problem = $"{target.Key} is longer than a worker's name may be ({MaxName} characters)";
                else
                    workers.Add(WorkerOf(name, addresses[target.Key], port.Key, port.Max(static record => record.Weight)));
            }
        }

        return new DnsWorkersAnswer(workers, addresses, problem ?? (records.Count == 0 ? "the answer names no worker" : null));
    }

    private async Task<DnsWorkersAnswer> AskAddressesAsync(CancellationToken cancellationToken)
    {
        var found = new List<IPAddress>();
        string? problem = null;
        foreach (var type in (QueryType[])[QueryType.A, QueryType.AAAA])
        {
            var answer = await _client.QueryAsync(_options.Name + ".", type, cancellationToken: cancellationToken);
            if (answer.HasError)
                problem = answer.ErrorMessage;
            found.AddRange(answer.Answers.AddressRecords().Select(static record => record.Address));
        }

        // Half of an answer would take half of the workers out.
        if (problem is not null)
            return DnsWorkersAnswer.Failed(problem);
        return new DnsWorkersAnswer(
            [
                .. found.Distinct().OrderBy(static one => one.ToString(), StringComparer.Ordinal)
                    .Select(address => WorkerOf(address.ToString().Replace(':', '-').Trim('-'), address, _options.Port, 1)),
            ], new Dictionary<string, IPAddress>(), found.Count == 0 ? "the answer names no worker" : null);
    }

    /// <summary>The target without what it has in common with the name that was asked for: "tor-0" of tor-0.workers.example.</summary>
    private string NameOf(string target)
    {
        string zone = "." + string.Join('.', _options.Name.Split('.').SkipWhile(static label => label.StartsWith('_')));
        string name = target.EndsWith(zone, StringComparison.OrdinalIgnoreCase) ? target[..^zone.Length] : target;
        return name.ToLowerInvariant();
    }

    private async Task<IPAddress?> AddressOfAsync(string target, IDnsQueryResponse beside, CancellationToken cancellationToken)
    {
        var found = beside.Additionals.AddressRecords()
            .Where(record => record.DomainName.Value.TrimEnd('.').Equals(target, StringComparison.OrdinalIgnoreCase))
            .Select(static record => record.Address).ToList();
        foreach (var type in (QueryType[])[QueryType.A, QueryType.AAAA])
        {
            if (found.Count > 0)
                break;
            try
            {
                var answer = await _client.QueryAsync(target + ".", type, cancellationToken: cancellationToken);
                found.AddRange(answer.Answers.AddressRecords().Select(static record => record.Address));
            }
            catch (Exception failure) when (IsOfTheAnswer(failure, cancellationToken))
            {
                // It keeps the address of before, if there is one.
            }
        }

        return found.MinBy(static one => Convert.ToHexString(one.GetAddressBytes()), StringComparer.Ordinal);
    }

    private WorkerChange WorkerOf(string name, IPAddress address, int port, int weight)
    {
        const int mostWeight = 100;
        var keys = new List<KeyValuePair<string, string>>
        {
            new("Address", address.ToString()),
            new("SocksPort", port.ToString(CultureInfo.InvariantCulture)),
            new("Weight", Math.Clamp(weight, 1, mostWeight).ToString(CultureInfo.InvariantCulture)),
        };
        if (_options.ControlPort > 0)
            keys.Add(new("ControlPort", _options.ControlPort.ToString(CultureInfo.InvariantCulture)));
        return new WorkerChange(name, keys) { IsDiscovered = true };
    }
}

/// <summary>What a resolver said.</summary>
/// <param name="Workers">In the order of their names; none: it said nothing that could be used.</param>
/// <param name="Addresses">By target.</param>
/// <param name="Problem">What was wrong with it; null: nothing.</param>
internal sealed record DnsWorkersAnswer(
    IReadOnlyList<WorkerChange> Workers, IReadOnlyDictionary<string, IPAddress> Addresses, string? Problem)
{
    public static DnsWorkersAnswer Failed(string problem) => new([], new Dictionary<string, IPAddress>(), problem);
}
