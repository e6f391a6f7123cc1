using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace TorBalancer.Admin.Events;

/// <summary>
/// Makes events of those lines of the log that are some, whatever [Log] Level says: so both have the same words.
/// </summary>
/// <param name="kinds">Which lines are, by their ids, as <see cref="EventKinds"/> has them for the proxy.</param>
internal sealed class EventLoggerProvider(EventHub hub, Func<int, string?> kinds) : ILoggerProvider
{
    /// <summary>Adds it to a program's logs, and keeps it from all that hold no events.</summary>
    /// <param name="kinds">The word of a line's id; null: it is no event.</param>
    /// <param name="categories">The logs that such lines are written to.</param>
    public static void AddTo(ILoggingBuilder builder, EventHub hub, Func<int, string?> kinds, IReadOnlyList<string> categories)
    {
        builder.AddProvider(new EventLoggerProvider(hub, kinds));
        builder.AddFilter<EventLoggerProvider>(category: null, LogLevel.None);
        foreach (string category in categories)
            builder.AddFilter<EventLoggerProvider>(category, LogLevel.Information);
    }

    public ILogger CreateLogger(string categoryName) => new EventLogger(hub, kinds);

    public void Dispose()
    {
    }

    private sealed class EventLogger(EventHub hub, Func<int, string?> kinds) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel) && kinds(eventId.Id) is { } kind)
                hub.Publish(kind, Word(logLevel), formatter(state, exception), Values(state as IEnumerable<KeyValuePair<string, object?>>));
        }

        private static List<KeyValuePair<string, object?>> Values(IEnumerable<KeyValuePair<string, object?>>? state)
        {
            var values = new List<KeyValuePair<string, object?>>();
            foreach (var (name, value) in state ?? [])
            {
                if (name != "{OriginalFormat}")
                    values.Add(new(JsonNamingPolicy.SnakeCaseLower.ConvertName(name), Plain(value)));
            }

            return values;
        }

        /// <summary>What happened must not change afterwards, and JSON has no more kinds than these.</summary>
        private static object? Plain(object? value) => value switch
        {
            null or string or bool or int or long or double => value,
            IFormattable text => text.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
            _ => value.ToString(),
        };

        private static string Word(LogLevel level) => level switch
        {
            LogLevel.Information => "info",
            LogLevel.Warning => "warning",
            _ => "error",
        };
    }
}
