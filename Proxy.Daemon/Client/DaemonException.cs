namespace TorBalancer.Daemon.Client;

/// <summary>A command cannot go on; the message is for the user and says what to do.</summary>
/// <param name="code">One of <see cref="ExitCodes"/>.</param>
internal sealed class DaemonException(int code, string message, Exception? inner = null) : Exception(message, inner)
{
    public int Code => code;
}
