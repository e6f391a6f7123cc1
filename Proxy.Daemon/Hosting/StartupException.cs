namespace TorBalancer.Daemon.Hosting;

/// <summary>The daemon cannot start; the message is for the user and says what to do.</summary>
internal class StartupException : Exception
{
    public StartupException(string message)
        : base(message)
    {
    }

    public StartupException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
