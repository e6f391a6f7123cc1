using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Tests.Support;

/// <summary>What a service manager hears (sd_notify(3)).</summary>
internal sealed class ServiceManagerSocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    public ServiceManagerSocket(string directory)
    {
        Path = System.IO.Path.Combine(directory, "notify.sock");
        _socket.Bind(new UnixDomainSocketEndPoint(Path));
    }

    /// <summary>For NOTIFY_SOCKET.</summary>
    public string Path { get; }

    /// <summary>The next message that holds the text; those before it are passed over.</summary>
    public async Task<string> WaitForAsync(string text, CancellationToken token)
    {
        byte[] buffer = new byte[4096];
        while (true)
        {
            string message = Encoding.UTF8.GetString(buffer, 0, await _socket.ReceiveAsync(buffer, token));
            if (message.Contains(text, StringComparison.Ordinal))
                return message;
        }
    }

    public void Dispose() => _socket.Dispose();
}
