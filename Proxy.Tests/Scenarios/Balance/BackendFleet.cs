using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Testnet;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>Backends of one address: instances of real tor, several to a process, an origin behind each.</summary>
[SupportedOSPlatform("linux")]
internal sealed class BackendFleet : IAsyncDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite, PrivateFolder = Private | UnixFileMode.UserExecute;

    // A tor launches so many circuits at a time; the default of 32 is for one client. Uploads of descriptors that wait for a circuit for
    // too long fail, and tor makes them again an hour later.
    private const string ManyCircuits = "MaxClientCircuitsPending 1024";

    private readonly string _directory = Directory.CreateTempSubdirectory("tbf").FullName;
    private readonly NamedOrigins _origins;
    private readonly List<ClientTor> _tors = [];

    private BackendFleet(int count)
    {
        _origins = new NamedOrigins(count, prefix: "");
        Addresses = [.. Enumerable.Range(0, count).Select(MakeInstance)];
    }

    /// <summary>Of the instances.</summary>
    public IReadOnlyList<OnionServiceAddress> Addresses { get; }

    /// <summary>Starts them; their descriptors are published some seconds later.</summary>
    /// <param name="mains">The balanced addresses; there may be several over the same backends.</param>
    /// <param name="processes">How many tors they are spread over.</param>
    public static async Task<BackendFleet> StartAsync(
        TestNetwork network, IReadOnlyList<OnionServiceAddress> mains, int count, int processes, CancellationToken token)
    {
        var fleet = new BackendFleet(count);
        try
        {
            for (int i = 0; i < count; i++)
            {
                File.WriteAllLines(
                    Path.Combine(fleet.DirectoryOf(i), "ob_config"), mains.Select(static one => $"MasterOnionAddress {one}"));
            }

            var starting = Enumerable.Range(0, processes).Select(
                process => ClientTor.StartAsync(
                    network, "", token,
                    [ManyCircuits, .. Enumerable.Range(0, count).Where(i => i % processes == process).SelectMany(fleet.Torrc)])).ToArray();
            foreach (var one in starting)
                fleet._tors.Add(await one);
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>The lines of one instance.</summary>
    public IEnumerable<string> Torrc(int instance) =>
    [
        $"HiddenServiceDir {DirectoryOf(instance)}", $"HiddenServicePort 80 127.0.0.1:{_origins.Port(instance)}",
        "HiddenServiceOnionbalanceInstance 1",
    ];

    public int Port(int instance) => _origins.Port(instance);

    /// <summary>Ends one of its tors; the origins go on.</summary>
    public Task StopAsync(int process) => _tors[process].StopAsync();

    /// <summary>Ends its tors; the origins go on.</summary>
    public Task StopAsync() => Task.WhenAll(_tors.Select(static tor => tor.StopAsync()));

    public async ValueTask DisposeAsync()
    {
        foreach (var tor in _tors)
            await tor.DisposeAsync();
        await _origins.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>With its key, so that its address is known before its tor runs.</summary>
    private OnionServiceAddress MakeInstance(int index)
    {
        Directory.CreateDirectory(DirectoryOf(index), PrivateFolder);
        using var key = IdentityKey.Generate();
        WriteKey(DirectoryOf(index), key);
        return key.Address;
    }

    /// <summary>A service's key as tor has it.</summary>
    public static void WriteKey(string directory, IdentityKey key)
    {
        string secret = Path.Combine(directory, TorKeyFiles.SecretName);
        File.WriteAllBytes(secret, TorKeyFiles.Secret(key));
        File.SetUnixFileMode(secret, Private);
        File.WriteAllBytes(Path.Combine(directory, TorKeyFiles.PublicName), TorKeyFiles.Public(key));
    }

    private string DirectoryOf(int instance) => Path.Combine(_directory, $"i{instance}");
}
