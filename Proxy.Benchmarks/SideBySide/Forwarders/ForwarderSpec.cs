using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Forwarders;

internal enum ClientProtocol
{
    Socks5,
    Connect,

    /// <summary>HTTP requests in absolute form.</summary>
    Http,

    /// <summary>None: NAT turns the client's connection to the forwarder.</summary>
    Transparent,
}

/// <summary>One of those that are compared: how it is configured and started.</summary>
/// <param name="Prepare">Writes its configuration and gives its command line.</param>
internal sealed record ForwarderSpec(string Name, Func<ForwarderSite, string> Prepare)
{
    /// <summary>What it does, in a few words.</summary>
    public string What { get; init; } = "";

    /// <summary>A command that prints its version.</summary>
    public string VersionCommand { get; init; } = "";

    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>Takes HTTP CONNECT itself.</summary>
    public bool SpeaksConnect { get; init; }

    /// <summary>Takes HTTP requests in absolute form.</summary>
    public bool SpeaksHttp { get; init; }

    /// <summary>May be asked for a tunnel; one that may not only speaks HTTP.</summary>
    public bool Tunnels { get; init; } = true;

    /// <summary>Keeps the connections of HTTP clients for further requests.</summary>
    public bool KeepsAlive { get; init; } = true;

    /// <summary>Knows no workers: the client leads it to one and speaks SOCKS5 a second time.</summary>
    public bool DialsDirectly { get; init; }

    public bool IsOurs { get; init; }

    public HandshakeScript Script(ClientProtocol client, int[] workers, int targetPort) =>
        client == ClientProtocol.Http ? HandshakeScript.None
        : client == ClientProtocol.Connect ? HandshakeScript.HttpConnect(targetPort)
        : DialsDirectly ? HandshakeScript.ThroughDirectDialer(workers[0], targetPort)
        : HandshakeScript.Socks5(targetPort);
}

/// <summary>Where a forwarder lives for one run.</summary>
/// <param name="Directory">For its configuration and its log.</param>
/// <param name="Port">Where it listens.</param>
/// <param name="SecondPort">For whatever else it listens on: HTTP clients, an admin page.</param>
/// <param name="ThirdPort">The same.</param>
/// <param name="Workers">The stub worker's ports.</param>
/// <param name="OriginPort">Where the stub worker is an HTTP origin, without SOCKS.</param>
internal sealed record ForwarderSite(string Directory, int Port, int SecondPort, int ThirdPort, int[] Workers, int OriginPort)
{
    public string Write(string name, string text)
    {
        string path = Path.Combine(Directory, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Sends what a command prints to a file here.</summary>
    public string Logged(string command, string name) => $"{command} >{Path.Combine(Directory, name)}.log 2>&1";
}
