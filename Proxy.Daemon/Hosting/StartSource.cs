using TorBalancer.Configuration;

namespace TorBalancer.Daemon.Hosting;

/// <summary>What the daemon was started with.</summary>
/// <param name="Configuration">The configuration, with its warnings.</param>
/// <param name="Testnet">True for <c>run --testnet</c>.</param>
internal sealed record StartSource(ConfigurationResult Configuration, bool Testnet);

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
