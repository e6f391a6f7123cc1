using System.Buffers.Binary;
using System.Net;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>What is attacked.</summary>
/// <param name="Host">An IPv4 address in the order of its digits.</param>
internal readonly record struct BotTarget(uint Host, int Port)
{
    public static BotTarget Of(IPEndPoint address) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(address.Address.GetAddressBytes()), address.Port);

    /// <summary>A connection, or -1.</summary>
    public int Connect() => LoopbackSocket.StartConnect(Host, Port);
}
