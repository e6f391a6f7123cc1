using System.Net.Sockets;
using TorBalancer.Interop;

namespace TorBalancer.Transport;

/// <summary>A bound socket that another process may have too; closing it closes our descriptor then and nothing else.</summary>
/// <param name="isShared">Another one has it already.</param>
internal sealed class SharableSocket(Socket socket, bool isShared) : IDisposable
{
    private bool _isShared = isShared;

    public Socket Socket => socket;

    /// <summary>Another process has it from now on.</summary>
    public void Share() => _isShared = true;

    /// <summary>When nobody waits on it any more.</summary>
    public void Dispose()
    {
        if (_isShared)
            SharedDescriptors.Close(socket);
        else
            socket.Dispose();
    }
}
