using System.Net;
using TorBalancer.TorControl;

namespace TorBalancer.Daemon.Tor;

/// <summary>
/// Hears of the managed workers' life. For one worker the calls come in order and never at once; calls for different
/// workers may overlap. Must neither throw nor wait.
/// </summary>
internal interface IManagedWorkerSink
{
    /// <summary>The process runs and cannot carry streams yet. Called at its start and at each step of the bootstrap.</summary>
    void Starting(string id, BootstrapStatus status);

    /// <summary>It can carry streams. Called once for each start of the process; addresses may differ from the last time.</summary>
    /// <param name="socks">Where it speaks SOCKS: a unix socket, or a port of 127.0.0.1. Null: it has no SocksPort.</param>
    /// <param name="control">Its control port; further connections may be made to it.</param>
    /// <param name="cookiePath">The cookie file for that control port.</param>
    void Ready(string id, EndPoint? socks, EndPoint control, string cookiePath);

    /// <summary>The process is gone, or about to go. It is started again. Not called when the daemon stops.</summary>
    void Down(string id, string reason);
}
