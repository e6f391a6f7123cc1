using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace TorBalancer.Tests.Support;

/// <summary>A port that nobody has at the moment, for programs that take no 0.</summary>
internal static class FreePort
{
    /// <summary>
    /// An address of loopback that is nobody else's, for tests that need ports which follow each other: all of its ports are free but those
    /// that somebody has at all addresses.
    /// </summary>
    public static IPAddress OwnAddress() =>
        new([127, (byte)RandomNumberGenerator.GetInt32(100, 250), .. RandomNumberGenerator.GetBytes(2)]);

    /// <param name="address">Where it is to be free; null: on loopback.</param>
    public static int Find(IPAddress? address = null)
    {
        using var listener = new TcpListener(address ?? IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
