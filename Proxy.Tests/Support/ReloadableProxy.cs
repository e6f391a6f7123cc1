using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Reload;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reload;
using TorBalancer.DependencyInjection;
using TorBalancer.Server;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Support;

/// <summary>The whole proxy in this process, started from a file that a test writes anew.</summary>
internal sealed class ReloadableProxy : IAsyncDisposable
{
    private readonly ServiceProvider _provider;

    private ReloadableProxy(string directory, ServiceProvider provider, ListLogger log)
    {
        Directory = directory;
        _provider = provider;
        Log = log;
    }

    public string Directory { get; }

    public ListLogger Log { get; }

    public ProxyServer Server => Get<ProxyServer>();

    public WorkerPool Pool => Get<WorkerPool>();

    public RunningConfiguration Running => Get<RunningConfiguration>();

    public LiveOptions Live => Get<LiveOptions>();

    public string File => Path.Combine(Directory, "torbalancer.conf");

    /// <summary>The section of a worker.</summary>
    /// <param name="more">Further lines of it.</param>
    public static string Worker(string name, FakeTorWorker worker, string more = "") => string.Create(
        CultureInfo.InvariantCulture,
        $"[Worker:{name}]\nAddress = 127.0.0.1\nSocksPort = {((IPEndPoint)worker.EndPoint).Port}\n{more}");

    /// <param name="text">The file; every listener of it has port 0, so that it gets one of its own.</param>
    /// <param name="environment">Variables that set keys.</param>
    public static async Task<ReloadableProxy> StartAsync(string text, Dictionary<string, string>? environment = null)
    {
        string directory = System.IO.Directory.CreateTempSubdirectory("tbr").FullName;
        string file = Path.Combine(directory, "torbalancer.conf");
        await System.IO.File.WriteAllTextAsync(file, text);
        var sources = new ConfigurationSources
        {
            ConfigPath = file,
            Environment = environment ?? [],
            ModeNames = SelectionPolicyNames.All,
            WorkingDirectory = directory,
        };
        var result = ConfigurationLoader.Load(sources);
        Assert.That(result.Errors, Is.Empty);
        var log = new ListLogger();
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(log);
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        services.AddProxy(result.Options);
        services.AddReload(new RunningConfiguration(sources, result));
        var proxy = new ReloadableProxy(
            directory, services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true }), log);
        proxy.Pool.Apply([.. result.Options.Workers.Select(WorkerModel.Of)]);
        await proxy.Server.StartAsync(ListenerModel.AllOf(result.Options));
        return proxy;
    }

    public T Get<T>()
        where T : notnull => _provider.GetRequiredService<T>();

    /// <summary>Another text in the same file, and a reload.</summary>
    public async Task<ReloadOutcome> ReloadAsync(string text)
    {
        await System.IO.File.WriteAllTextAsync(File, text);
        return await Get<ConfigurationReloader>().ReloadAsync("the test");
    }

    /// <summary>A connection to a listener.</summary>
    public async Task<NetworkStream> ConnectAsync(string listener = "main")
    {
        var address = (IPEndPoint)Server.Addresses.Single(one => one.Name == listener).Address;
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>A connection, and the code that a SOCKS5 request of it is answered with.</summary>
    public async Task<(NetworkStream Stream, byte Code)> OpenAsync(
        CancellationToken token, string host = "a.example", int port = 80, string listener = "main")
    {
        var stream = await ConnectAsync(listener);
        byte[] reply = await SocksClient.RequestAsync(stream, host, port, token);
        return (stream, reply[1]);
    }

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
        Assert.That(
            Log.Entries.Where(static entry => entry.Event.Id is ServerEventIds.EngineFailed or ServerEventIds.ConnectionFailed), Is.Empty);
    }
}
