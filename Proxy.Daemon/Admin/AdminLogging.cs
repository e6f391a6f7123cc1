using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TorBalancer.Daemon.Admin;

/// <summary>The daemon's log for the web server in it, of which only warnings and worse are of interest to an operator.</summary>
internal sealed class QuietLoggerFactory(ILoggerFactory inner) : ILoggerFactory
{
    /// <summary>What fails at the start is told by the daemon itself, in one sentence.</summary>
    private const string Host = "Microsoft.Extensions.Hosting";

    public ILogger CreateLogger(string categoryName) =>
        new Quiet(
            inner.CreateLogger(categoryName), categoryName.StartsWith(Host, StringComparison.Ordinal) ? LogLevel.None : LogLevel.Warning);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
        // The daemon's own: it outlives the web server.
    }

    private sealed class Quiet(ILogger inner, LogLevel least) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= least && inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                inner.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}

/// <summary>Signals are the daemon's business; the web server in it is told when to stop.</summary>
internal sealed class InnerLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
