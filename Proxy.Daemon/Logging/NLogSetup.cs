using System.Text;
using Microsoft.Extensions.Logging;
using NLog;
using NLog.Config;
using NLog.Extensions.Logging;
using NLog.Filters;
using NLog.Layouts;
using NLog.Targets;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Interop;
using TorBalancer.Server;
using LogLevel = NLog.LogLevel;

namespace TorBalancer.Daemon.Logging;

/// <summary>NLog behind ILogger: text or JSON on standard output, and a file if one is named.</summary>
internal static class NLogSetup
{
    /// <summary>The journal stamps lines itself and reads a priority in front of each (sd-daemon(3)).</summary>
    private const string JournalPrefix =
        "${when:when=level>=LogLevel.Error:inner=<3>}${when:when=level==LogLevel.Warn:inner=<4>}"
            + "${when:when=level==LogLevel.Info:inner=<6>}${when:when=level<=LogLevel.Debug:inner=<7>}";

    private static readonly TimeSpan FlushLimit = TimeSpan.FromSeconds(2);

    private const int ConsoleBuffer = 64 * 1024;

    private const string Stamp = "${date:universalTime=true:format=yyyy-MM-ddTHH\\:mm\\:ss.fffZ} ${level:uppercase=true:padding=-5} ";

    private const string Message = "${message}${onexception:inner=${newline}${exception:format=tostring}}";

    // As both number the levels. NLog's own rules take all of them: to change those it waits for every log, and so for one that hangs.
    private static volatile int _least;

    public static void AddTo(ILoggingBuilder builder, LogOptions options)
    {
        // At the end of the process it would close the targets, and wait without bounds for one that hangs.
        LogManager.AutoShutdown = false;
        builder.ClearProviders();
        builder.SetMinimumLevel(Microsoft.Extensions.Logging.LogLevel.Trace);
        SetLevel(options.Level);
        builder.AddFilter<WithoutFlush>(static level => (int)level >= _least);
        LogManager.Configuration = Build(options);
        var provider = new NLogLoggerProvider(new NLogProviderOptions
        {
            IncludeScopes = false,

            // Only JSON has the fields beside the message. Without them a line is put together by generated code, which costs half of what
            // NLog's templates do, and needs no table of properties.
            CaptureMessageProperties = options.Format == "json",
            CaptureEventId = options.Format == "json" ? EventIdCaptureType.EventId | EventIdCaptureType.EventName : EventIdCaptureType.None,
        });
        builder.AddProvider(new WithoutFlush(provider));
    }

    /// <summary>
    /// Several lines go out in one system call; the buffer that a console has by itself holds 256 characters, which is one line.
    /// </summary>
    public static void WidenConsole() =>
        Console.SetOut(
            new StreamWriter(
                Console.OpenStandardOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
                ConsoleBuffer)
            { AutoFlush = false });

    /// <summary>
    /// Writes out what is buffered; the last thing a process does. All logs together have <see cref="FlushLimit"/>: where nobody
    /// reads what is written (a full pipe), or a disk hangs, the process ends all the same, without the last lines. Never throws.
    /// </summary>
    public static void Flush()
    {
        foreach (var file in Files)
            file.Hurry();

        // Not disposed: a log that answers late still sets it.
        var done = new ManualResetEventSlim();
        bool written = false;
        LogManager.Flush(
            failure =>
            {
                written = failure is null;
                done.Set();
            },
            FlushLimit);
        if (done.Wait(FlushLimit) && written)
            LogManager.Shutdown();
    }

    /// <summary>
    /// Lets go of a log file that was moved away, and opens what has its name now; false when there is none. Returns at once, whatever
    /// becomes of standard output: only the file's own thread has something to do.
    /// </summary>
    /// <param name="done">Called by that thread, with what is in the way or null.</param>
    public static bool TryReopen(Action<string?> done)
    {
        bool any = false;
        foreach (var queue in Queues)
        {
            if (queue.WrappedTarget is not LogFileTarget file)
                continue;
            any = true;
            queue.Flush(_ => done(file.Problem));
        }

        return any;
    }

    /// <summary>The least level that is written from now on. Returns at once, whatever becomes of the logs.</summary>
    /// <param name="level">A value of [Log] Level.</param>
    public static void SetLevel(string level) => _least = LogLevel.FromString(level).Ordinal;

    private static IEnumerable<LogQueue> Queues =>
        LogManager.Configuration?.LoggingRules.SelectMany(static rule => rule.Targets).OfType<LogQueue>() ?? [];

    private static IEnumerable<LogFileTarget> Files => Queues.Select(static queue => queue.WrappedTarget).OfType<LogFileTarget>();

    private static LoggingConfiguration Build(LogOptions options)
    {
        bool journal = OperatingSystem.IsLinux()
            && JournalStream.HasOutput(Environment.GetEnvironmentVariable("JOURNAL_STREAM"), static fd => FileCalls.StatusOf(fd));
        var configuration = new LoggingConfiguration();
        var console = new ConsoleTarget("console")
        {
            Layout = ConsoleLayout(options, journal),
            AutoFlush = true,
            DetectConsoleAvailable = false,
        };
        AddRule(configuration, console);
        if (options.File.Length > 0)
        {
            AddRule(configuration, FileTarget(options));
        }

        return configuration;
    }

    /// <summary>
    /// NLog's own target opens the file once and at an offset of its own: it would not survive logrotate. Elsewhere than on Linux it has to
    /// do.
    /// </summary>
    private static Target FileTarget(LogOptions options) => OperatingSystem.IsLinux()
        ? new LogFileTarget("file", options.File) { Layout = FileLayout(options) }
        : new FileTarget("file")
        {
            FileName = Layout.FromLiteral(options.File),
            Layout = FileLayout(options),
            KeepFileOpen = true,
            AutoFlush = true,
        };

    private static void AddRule(LoggingConfiguration configuration, Target target)
    {
        var rule = new LoggingRule("*", LogLevel.Trace, LogLevel.Fatal, new LogQueue(target));
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

    /// <summary>
    /// NLog's provider flushes every log when it is disposed, one after the other, for 15 s each, and throws when one of them does
    /// not answer. That is <see cref="Flush"/>'s to do, once.
    /// </summary>
    private sealed class WithoutFlush(NLogLoggerProvider provider) : ILoggerProvider
    {
        public Microsoft.Extensions.Logging.ILogger CreateLogger(string categoryName) => provider.CreateLogger(categoryName);

        public void Dispose()
        {
        }
    }
}
