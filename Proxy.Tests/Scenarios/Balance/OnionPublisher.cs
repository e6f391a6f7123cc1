using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Publishing;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>The real program as a publisher, with a tor of its own in the test network.</summary>
[SupportedOSPlatform("linux")]
internal sealed class OnionPublisher : IAsyncDisposable
{
    private readonly string _directory;
    private readonly ForegroundProcess _process;

    private readonly AdminClient _status;

    private OnionPublisher(string directory, ForegroundProcess process)
    {
        _directory = directory;
        _process = process;
        _status = new AdminClient(new UnixDomainSocketEndPoint($"{directory}/status"));
    }

    /// <summary>Its status socket.</summary>
    public string StatusPath => Path.Combine(_directory, "status");

    /// <summary>Its configuration.</summary>
    public string ConfigurationPath => Path.Combine(_directory, "publish.conf");

    /// <summary>Starts it; the address can be reached some seconds after its instances can.</summary>
    /// <param name="line">A further line of each instance's section.</param>
    /// <param name="tor">Lines that say which tor it has; null: one of its own.</param>
    public static async Task<OnionPublisher> StartAsync(
        TestNetwork network, IdentityKey identity, IReadOnlyList<OnionServiceAddress> instances, CancellationToken token, string line = "",
        string? tor = null)
    {
        string directory = Directory.CreateTempSubdirectory("tbp").FullName;
        string key = Path.Combine(directory, "main.key"), torrc = Path.Combine(directory, "extra");
        File.WriteAllBytes(key, TorKeyFiles.Secret(identity));
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllLinesAsync(torrc, network.ClientTorrc, token);
        var text = new StringBuilder($"""
            [Publisher]
            {tor ?? $"ExtraTorrc = {torrc}\nDataDirectory = {directory}/data"}
            Status = unix:{directory}/status

            [OnionService:main]
            Key = {key}

            """);
        for (int i = 0; i < instances.Count; i++)
            text.Append($"\n[Instance:main/node{i}]\nAddress = {instances[i]}\n{line}\n");
        var path = Path.Combine(directory, "publish.conf");
        await File.WriteAllTextAsync(path, text.ToString(), token);
        return new OnionPublisher(directory, ForegroundProcess.Start([ProgramRun.Daemon, "publish", "--config", path]));
    }

    /// <summary>Waits until it says that both descriptors are at all directories, and offer so many instances.</summary>
    public async Task PublishedAsync(int instances, CancellationToken token)
    {
        while (await ViewAsync(token) is not { } view || !view.Services[0].HasPublished()
            || view.Services[0].Descriptors.Any(one => one.Instances.Count != instances))
            await Task.Delay(250, token);
    }

    /// <summary>The first line of its log that holds the text.</summary>
    public Task<string> WaitForLineAsync(string text, CancellationToken token) => _process.WaitForLineAsync(text, token);

    /// <summary>Its exit code, when it has ended by itself.</summary>
    public Task<int> EndedAsync(CancellationToken token) => _process.EndedAsync(token);

    /// <summary>What it says of itself; null: it does not answer yet.</summary>
    public async Task<PublisherView?> ViewAsync(CancellationToken token)
    {
        try
        {
            using var answer = await _status.GetAsync("/api/v1/onion", token);
            return answer.Deserialize(PublisherJson.Instance.PublisherView);
        }
        catch (AdminClientException)
        {
            return null;
        }
    }

    /// <summary>Ends it; its files stay until it is disposed.</summary>
    public async Task StopAsync() => await _process.DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _status.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>All that it printed.</summary>
    public override string ToString() => _process.ToString();
}
