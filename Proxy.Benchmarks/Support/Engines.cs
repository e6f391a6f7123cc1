using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Benchmarks.Support;

/// <summary>The transports that tunnel benchmarks compare.</summary>
internal static class Engines
{
    public static IEnumerable<string> Names => ["sockets", "linux"];

    public static ITransport Create(string name) => name switch
    {
        "sockets" => new SocketTransport(TimeProvider.System),
        "linux" => new LinuxTransport(loops: 1),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such engine"),
    };
}
