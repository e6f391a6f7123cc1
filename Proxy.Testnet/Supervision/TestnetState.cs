using System.Text.Json.Serialization;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet.Supervision;

internal enum TestnetPhase : byte
{
    Starting,
    Ready,
    Failed,
    Stopping,
}

/// <summary>What the supervisor writes down for <c>status</c> and <c>down</c>, and for scripts.</summary>
internal sealed record TestnetState
{
    public required TestnetPhase Phase { get; init; }

    /// <summary>The supervisor's process id.</summary>
    public required int Pid { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    public double StartSeconds { get; init; }

    public string OnionAddress { get; init; } = "";

    public string OriginName { get; init; } = "";

    public int OriginPort { get; init; }

    public int EchoPort { get; init; }

    public int ClosedPort { get; init; }

    public string BlockedAddress { get; init; } = "";

    public string ConfFile { get; init; } = "";

    /// <summary>How far relays and exits are away, one way, milliseconds.</summary>
    public double LatencyMs { get; init; }

    public IReadOnlyList<TestnetNodeState> Nodes { get; init; } = [];

    /// <summary>Lines that make another tor a client of this network.</summary>
    public IReadOnlyList<string> ClientTorrc { get; init; } = [];

    public static TestnetState Of(TestNetwork network, int pid, DateTimeOffset startedAt, string confFile) => new()
    {
        Phase = TestnetPhase.Ready,
        Pid = pid,
        StartedAt = startedAt,
        StartSeconds = network.StartDuration.TotalSeconds,
        OnionAddress = network.OnionAddress,
        OriginName = TestNetwork.OriginName,
        OriginPort = network.OriginPort,
        EchoPort = network.EchoPort,
        ClosedPort = network.ClosedPort,
        BlockedAddress = TestNetwork.BlockedAddress.ToString(),
        ConfFile = confFile,
        LatencyMs = network.Latency.TotalMilliseconds,
        Nodes = network.Nodes.Select(TestnetNodeState.Of).ToArray(),
        ClientTorrc = network.ClientTorrc,
    };
}

/// <summary>One node; ports that it does not have are 0 and left out.</summary>
internal sealed record TestnetNodeState(string Name, TestNodeRole Role, int Pid, string ControlSocket, string Cookie, string Log)
{
    public string? Fingerprint { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int OrPort { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int DirPort { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int SocksPort { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int PlainSocksPort { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int DnsPort { get; init; }

    public static TestnetNodeState Of(TestNode node) =>
        new(node.Name, node.Role, node.ProcessId, node.ControlPath, node.CookiePath, node.LogPath)
        {
            Fingerprint = node.IsRelay ? node.Fingerprint : null,
            OrPort = node.OrPort,
            DirPort = node.DirPort,
            SocksPort = node.SocksPort,
            PlainSocksPort = node.PlainSocksPort,
            DnsPort = node.DnsPort,
        };
}

[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TestnetState))]
[JsonSerializable(typeof(TestnetStatus))]
internal sealed partial class TestnetJson : JsonSerializerContext;
