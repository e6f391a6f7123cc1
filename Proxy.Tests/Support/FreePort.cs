using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Tests.Support;

/// <summary>A port that nobody has at the moment, for programs that take no 0.</summary>
internal static class FreePort
{
    /// <param name="address">Where it is to be free; null: on loopback.</param>
    public static int Find(IPAddress? address = null)
    {
        using var listener = new TcpListener(address ?? IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
