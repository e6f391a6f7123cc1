using System.Globalization;
using System.Security.Cryptography;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// The files of <c>onion init</c>. The address's key is in tor's form everywhere: a tor and a publisher can have it as it is, which is
/// what changing the topology needs, and publishers of one address agree only when it is in one form.
/// </summary>
internal sealed class OnionInitFiles : IDisposable
{
    private const string PublisherConf = "publish.conf", Torrc = "torrc", Configuration = "ob_config";

    private readonly OnionPlan _plan;
    private readonly IdentityKey _identity;
    private readonly IdentityKey[] _instances;

    /// <param name="identity">The address's key.</param>
    public OnionInitFiles(OnionPlan plan, IdentityKey identity)
    {
        _plan = plan;
        _identity = identity;
        _instances = plan.Topology == OnionTopology.Parallel
            ? []
            : [.. Enumerable.Range(0, plan.Instances).Select(static _ => IdentityKey.Generate())];
    }

    /// <summary>All that is written, below the directory.</summary>
    public IEnumerable<string> Paths => Contents().Select(static file => file.Path);

    public void WriteTo(InitFiles files)
    {
        foreach (var (path, render) in Contents())
        {
            byte[] content = render();
            files.Write(path, content);
            CryptographicOperations.ZeroMemory(content);
        }
    }

    public void Dispose()
    {
        foreach (var instance in _instances)
            instance.Dispose();
    }

    private IEnumerable<(string Path, Func<byte[]> Render)> Contents()
    {
        yield return (InitFiles.ReadMe, () => Bytes(OnionReadMe.Write(_plan, _identity.Address)));
        if (_plan.Topology == OnionTopology.Parallel)
        {
            for (int i = 1; i <= _plan.Instances; i++)
            {
                string node = Node(i);
                yield return ($"{node}/{Torrc}", () => Bytes(ParallelTorrc(node)));
                foreach (var file in KeyFiles($"{node}/{_plan.Name}", _identity))
                    yield return file;
            }

            yield break;
        }

        for (int i = 1; i <= _plan.Publishers; i++)
        {
            string publisher = OnionReadMe.Publisher(_plan, i);
            yield return ($"{publisher}/{_plan.Name}.key", () => TorKeyFiles.Secret(_identity));
            yield return ($"{publisher}/{PublisherConf}", () => Bytes(Publisher()));
        }

        for (int i = 1; i <= _plan.Instances; i++)
        {
            string node = Node(i), service = $"{node}/{_plan.Name}-{node}";
            yield return ($"{node}/{Torrc}", () => Bytes(BackendTorrc(node)));
            yield return ($"{service}/{Configuration}", () => Bytes($"MasterOnionAddress {_identity.Address}\n"));
            foreach (var file in KeyFiles(service, _instances[i - 1]))
                yield return file;
        }
    }

    private static IEnumerable<(string Path, Func<byte[]> Render)> KeyFiles(string directory, IdentityKey key)
    {
        yield return ($"{directory}/{TorKeyFiles.SecretName}", () => TorKeyFiles.Secret(key));
        yield return ($"{directory}/{TorKeyFiles.PublicName}", () => TorKeyFiles.Public(key));
        yield return ($"{directory}/{TorKeyFiles.HostName}", () => Bytes($"{key.Address}\n"));
    }

    private string ParallelTorrc(string node) => Text($"""
        # {node}: lines for its torrc. The directory {_plan.Name} goes to /var/lib/tor, for tor's user alone (mode 0700).
        HiddenServiceDir /var/lib/tor/{_plan.Name}
        HiddenServicePort {_plan.Port} {_plan.Target}

        """);

    private string BackendTorrc(string node) => Text($"""
        # {node}: lines for its torrc. The directory {_plan.Name}-{node} goes to /var/lib/tor, for tor's user alone (mode 0700).
        # ob_config in it has to be there before the last line: tor does not start without. Restart tor afterwards, do not reload it:
        # a reload leaves it deaf to what comes for {_identity.Address}.
        HiddenServiceDir /var/lib/tor/{_plan.Name}-{node}
        HiddenServicePort {_plan.Port} {_plan.Target}
        HiddenServiceOnionbalanceInstance 1

        """);

    private string Publisher()
    {
        var sections = new OnionSections(
            "Made by: torbalancer onion init", "To /etc/torbalancer/publish.conf, beside its key. Then:",
            $"  chown torbalancer-publish: /etc/torbalancer/{_plan.Name}.key /etc/torbalancer/publish.conf",
            "  torbalancer onion check --config /etc/torbalancer/publish.conf",
            "  systemctl enable --now torbalancer-publish");
        sections.AddPublisher(
            ("Managed", "yes", "A tor of its own. Or one that nobody else has, by its control port:\nControlPort = unix:/run/tor/control"));
        sections.AddService(
            _plan.Name, $"/etc/torbalancer/{_plan.Name}.key", _identity.Address,
            _instances.Select((instance, i) => ((string?)Node(i + 1), instance.Address)));
        return sections.ToString();
    }

    private static string Node(int number) => Text($"node{number}");

    private static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
