using System.Net.Sockets;

namespace TorBalancer.Testnet.Origin;

/// <summary>Sends back what it receives, and FIN for FIN: for clients that speak no HTTP.</summary>
internal static class EchoHandler
{
    public static async Task RunAsync(Socket client, CancellationToken cancellationToken)
    {
        client.NoDelay = true;
        byte[] buffer = new byte[16 * 1024];
        while (true)
        {
            int length = await client.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
            if (length == 0)
                break;
            for (int sent = 0; sent < length;)
                sent += await client.SendAsync(buffer.AsMemory(sent, length - sent), SocketFlags.None, cancellationToken);
        }

        client.Shutdown(SocketShutdown.Send);
    }
}
