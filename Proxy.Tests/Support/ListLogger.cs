using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace TorBalancer.Tests.Support;

/// <summary>One log entry.</summary>
internal sealed record LogEntry(string Category, LogLevel Level, EventId Event, string Message, Exception? Exception);

/// <summary>Keeps what is logged.</summary>
internal sealed class ListLogger : ILoggerFactory
{
    private readonly SemaphoreSlim _added = new(0);
    private readonly ConcurrentBag<ILoggerProvider> _others = [];

    public ConcurrentQueue<LogEntry> Entries { get; } = new();

    public IEnumerable<LogEntry> OfEvent(string name) => Entries.Where(entry => entry.Event.Name == name);

    /// <summary>Waits until that many entries of an event are there.</summary>
    public async Task<IReadOnlyList<LogEntry>> WaitForAsync(string eventName, int count, CancellationToken token)
    {
        while (true)
        {
            var found = OfEvent(eventName).ToList();
            if (found.Count >= count)
                return found;
            await _added.WaitAsync(token);
        }
    }

    public ILogger CreateLogger(string categoryName) => new Writer(this, categoryName);

    /// <summary>Hears everything from now on as well.</summary>
    public void AddProvider(ILoggerProvider provider) => _others.Add(provider);

    public void Dispose() => _added.Dispose();

    private sealed class Writer(ListLogger owner, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            owner.Entries.Enqueue(new LogEntry(category, logLevel, eventId, formatter(state, exception), exception));
            foreach (var other in owner._others)
                other.CreateLogger(category).Log(logLevel, eventId, state, exception, formatter);
            try
            {
                owner._added.Release();
            }
            catch (ObjectDisposedException)
            {
            }
        }
    }
}
