using Microsoft.Extensions.Logging;
using NLog;
using NLog.Config;
using NLog.Extensions.Logging;
using NLog.Filters;
using NLog.Layouts;
using NLog.Targets;
using NLog.Targets.Wrappers;
using TorBalancer.Configuration;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Server;
using LogLevel = NLog.LogLevel;

namespace TorBalancer.Daemon.Logging;

/// <summary>NLog behind ILogger: text or JSON on standard output, and a file if one is named.</summary>
internal static class NLogSetup
{
    /// <summary>The journal stamps lines itself and reads a priority in front of each (sd-daemon(3)).</summary>
    private const string JournalPrefix =
        "${when:when=level>=LogLevel.Error:inner=<3>}${when:when=level==LogLevel.Warn:inner=<4>}${when:when=level==LogLevel.Info:inner=<6>}${when:when=level<=LogLevel.Debug:inner=<7>}";

    /// <summary>About 20 MB at the most.</summary>
    private const int QueuedLines = 50_000;

    private const string Stamp = "${date:universalTime=true:format=yyyy-MM-ddTHH\\:mm\\:ss.fffZ} ${level:uppercase=true:padding=-5} ";

    private const string Message = "${message}${onexception:inner=${newline}${exception:format=tostring}}";

    public static void AddTo(ILoggingBuilder builder, LogOptions options)
    {
        builder.ClearProviders();
        builder.SetMinimumLevel(Microsoft.Extensions.Logging.LogLevel.Trace);
        builder.AddNLog(Build(options), new NLogProviderOptions { RemoveLoggerFactoryFilter = true, ShutdownOnDispose = false });
    }

    /// <summary>Writes out what is buffered; the last thing a process does.</summary>
    public static void Flush() => LogManager.Shutdown();

    private static LoggingConfiguration Build(LogOptions options)
    {
        bool journal = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("JOURNAL_STREAM"));
        var configuration = new LoggingConfiguration();
        var level = LogLevel.FromString(options.Level);
        var console = new ConsoleTarget("console") { Layout = ConsoleLayout(options, journal), AutoFlush = true, DetectConsoleAvailable = false };
        AddRule(configuration, level, console);
        if (options.File.Length > 0)
        {
            var file = new FileTarget("file") { FileName = Layout.FromLiteral(options.File), Layout = FileLayout(options), KeepFileOpen = true, AutoFlush = true };
            AddRule(configuration, level, file);
        }

        return configuration;
    }

    /// <summary>
    /// Lines are written by a thread of their own, several at a time: a terminal or a journal that does not read must never hold
    /// up traffic. Beyond the limit lines are dropped, which is better than a client that waits.
    /// </summary>
    private static void AddRule(LoggingConfiguration configuration, LogLevel level, Target target)
    {
        var queue = new AsyncTargetWrapper(target.Name + "-queue", target)
        {
            QueueLimit = QueuedLines,
            OverflowAction = AsyncTargetWrapperOverflowAction.Discard,
            TimeToSleepBetweenBatches = 10,
            BatchSize = 1000,
        };
        var rule = new LoggingRule("*", level, LogLevel.Fatal, queue);
        rule.Filters.Add(new WhenMethodFilter(IsToldOtherwise));
        configuration.LoggingRules.Add(rule);
    }

    /// <summary>
    /// A start that fails for a reason that is the user's to mend is told in one sentence by the run command; the host
    /// would put a stack trace beside it.
    /// </summary>
    private static FilterResult IsToldOtherwise(LogEventInfo line) =>
        line.Exception is StartupException or ListenException ? FilterResult.Ignore : FilterResult.Log;

    private static Layout ConsoleLayout(LogOptions options, bool journal)
    {
        if (options.Format == "json")
            return JsonLines();
        return Layout.FromString(journal ? JournalPrefix + Message : Stamp + Message);
    }

    private static Layout FileLayout(LogOptions options) => options.Format == "json" ? JsonLines() : Layout.FromString(Stamp + Message);

    /// <summary>
    /// One object a line; the message's fields stand beside it under their own names. Numbers stay numbers, anything else
    /// is written as the text that the message shows: taking objects apart needs members that trimming may have removed.
    /// </summary>
    private static JsonLayout JsonLines() => new()
    {
        IncludeEventProperties = true,
        MaxRecursionLimit = 0,
        ExcludeProperties = new HashSet<string> { "EventName" },
        Attributes =
        {
            new JsonAttribute("time", "${date:universalTime=true:format=o}"),
            new JsonAttribute("level", "${level:lowercase=true}"),
            new JsonAttribute("logger", "${logger:shortName=true}"),
            new JsonAttribute("event", "${event-properties:item=EventName}"),
            new JsonAttribute("message", "${message}"),
            new JsonAttribute("exception", "${exception:format=tostring}"),
        },
    };
}
