using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace TorBalancer.Tests.Health;

/// <summary>A log that keeps its lines, and takes its time for one of them.</summary>
/// <param name="heldText">What the line holds that is not written before <see cref="Release"/>.</param>
internal sealed class LineHold(string heldText) : ILoggerProvider, ILogger
{
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _released = new();

    /// <summary>That line is being written.</summary>
    public Task Held => _held.Task;

    public ConcurrentQueue<string> Written { get; } = new();

    public void Release() => _released.Set();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string line = formatter(state, exception);
        if (line.Contains(heldText, StringComparison.Ordinal))
        {
            _held.TrySetResult();
            _released.Wait();
        }

        Written.Enqueue(line);
    }

    public void Dispose() => _released.Dispose();
}
