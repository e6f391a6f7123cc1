using System.Collections.Concurrent;
using NLog;
using NLog.Config;
using NLog.Targets;
using TorBalancer.Daemon.Logging;

namespace TorBalancer.Tests.Logging;

public class LogQueueTests
{
    [Test]
    [CancelAfter(60_000)]
    public void Lines_of_several_threads_are_all_written_each_threads_in_order()
    {
        const int Threads = 4, Each = 2_000;
        var target = new CollectingTarget();
        using var factory = Factory(target);
        var logger = factory.GetLogger("test");

        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
        {
            for (int i = 0; i < Each; i++)
                logger.Info("{0} {1}", thread, i);
        }))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        factory.Flush();

        for (int thread = 0; thread < Threads; thread++)
        {
            var mine = target.Lines.Where(line => line.StartsWith($"{thread} ", StringComparison.Ordinal));
            Assert.That(mine, Is.EqualTo(Enumerable.Range(0, Each).Select(i => $"{thread} {i}")));
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Line_is_written_without_a_flush(CancellationToken token)
    {
        var target = new CollectingTarget();
        using var factory = Factory(target);
        var logger = factory.GetLogger("test");
        for (int i = 0; i < 20; i++)
        {
            logger.Info("line");
            await target.WrittenAsync(i + 1, token);
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Shutdown_writes_what_waits(CancellationToken token)
    {
        var target = new CollectingTarget();
        using var factory = Factory(target);
        var logger = factory.GetLogger("test");
        for (int i = 0; i < 5_000; i++)
            logger.Info("line");
        await Task.Run(factory.Shutdown, token).WaitAsync(token);

        Assert.That(target.Lines, Has.Count.EqualTo(5_000));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Target_that_hangs_holds_nobody_up_and_what_was_dropped_is_told(CancellationToken token)
    {
        using var open = new ManualResetEventSlim();
        var target = new CollectingTarget { Gate = open };
        using var factory = Factory(target);
        var logger = factory.GetLogger("test");

        const int TooMany = 500;
        for (int i = 0; i < LogQueue.Limit + TooMany; i++)
            logger.Info("line");
        open.Set();
        await target.WrittenAsync(LogQueue.Limit + 1, token);

        string told = target.Lines.Single(static line => line != "line");
        Assert.That(told, Is.EqualTo($"{TooMany} log lines were dropped: they came faster than they could be written"));
        logger.Info("after");
        factory.Flush();
        Assert.That(target.Lines.Last(), Is.EqualTo("after"));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Target_that_throws_does_not_stop_the_lines_after(CancellationToken token)
    {
        var target = new CollectingTarget { Refused = "bad" };
        using var factory = Factory(target);
        var logger = factory.GetLogger("test");
        logger.Info("bad");
        logger.Info("good");
        await target.WrittenAsync(1, token);

        Assert.That(target.Lines, Is.EqualTo(new[] { "good" }));
    }

    private static LogFactory Factory(Target target)
    {
        var factory = new LogFactory();
        var configuration = new LoggingConfiguration(factory);
        configuration.LoggingRules.Add(new LoggingRule("*", LogLevel.Trace, LogLevel.Fatal, new LogQueue(target)));
        factory.Configuration = configuration;
        return factory;
    }

    private sealed class CollectingTarget : TargetWithLayout
    {
        private readonly SemaphoreSlim _written = new(0);
        private int _seen;

        public CollectingTarget()
        {
            Name = "collecting";
            Layout = "${message}";
        }

        public ConcurrentQueue<string> Lines { get; } = new();

        public ManualResetEventSlim? Gate { get; init; }

        public string? Refused { get; init; }

        public async Task WrittenAsync(int count, CancellationToken token)
        {
            for (; _seen < count; _seen++)
                await _written.WaitAsync(token);
        }

        protected override void Write(LogEventInfo logEvent)
        {
            Gate?.Wait();
            if (logEvent.Message == Refused)
                throw new IOException("refused");
            Lines.Enqueue(RenderLogEvent(Layout, logEvent));
            _written.Release();
        }
    }
}
