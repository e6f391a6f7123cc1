using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Server;

/// <summary>Requests in absolute form, one after the other, through the whole proxy.</summary>
[CancelAfter(30_000)]
public class HttpSessionTests
{
    private const string Wrong = "Proxy-Authorization: Basic YTp3cm9uZw==\r\n", Right = "Proxy-Authorization: Basic YTpi\r\n";

    [Test]
    public async Task A_refused_request_between_two_others_leaves_their_stream_alone(CancellationToken token)
    {
        await using var worker = Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].Users["a"] = "b";
        });
        await using var client = await proxy.ConnectAsync();

        foreach (string credentials in (string[])[Right, Wrong, Right])
        {
            await client.WriteAsync(Request(credentials), token);
            string expected = credentials == Right ? "\r\n\r\nok" : "connection: c1\n";
            Assert.That(
                await ReadThroughAsync(client, expected, token), Does.StartWith(credentials == Right ? "HTTP/1.1 200 " : "HTTP/1.1 407 "));
        }

        Assert.That(worker.Requests, Has.Count.EqualTo(1), "one stream for both");
    }

    /// <summary>
    /// An origin may close instead of answering; a SocksPort has said that it reached it, so nothing is held against the worker.
    /// </summary>
    [Test]
    public async Task An_origin_that_closes_without_an_answer_says_nothing_of_its_worker(CancellationToken token)
    {
        await using var worker = Answering("");
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options => options.Health.Enabled = true);
        await using (var client = await proxy.ConnectAsync())
        {
            await client.WriteAsync(Request(""), token);
            Assert.That(
                await ReadThroughAsync(client, "\r\n\r\n", token), Does.StartWith("HTTP/1.1 502 ").And.Contain("cause=target_closed"));
        }

        await proxy.Log.WaitForAsync("access_request", 1, token);
        Assert.That(proxy.Health.FactsOf(proxy.Pool.Snapshot.All[0]).Failures, Is.Zero);
        Assert.That(FailureCause.TargetClosed.Info().Evidence, Is.EqualTo(FailureEvidence.None), "as the table of causes says");
    }

    /// <summary>
    /// What is awaited for a worker of which nothing is known ends on the thread pool. The client's next requests do not stay there, where
    /// each of their reads and writes would change threads twice.
    /// </summary>
    [Test]
    public async Task Later_requests_are_served_on_the_loop_whatever_the_first_one_waited_for(CancellationToken token)
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("only the Linux engine has loops");
        await using var worker = Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var proxy = await ProxyUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Engine.Transport = EngineKind.Linux);
        using var threads = new LoopsOfRequests();
        proxy.Log.AddProvider(threads);
        await using var client = await proxy.ConnectAsync();

        for (int i = 0; i < LoopsOfRequests.Expected; i++)
        {
            await client.WriteAsync(Request(""), token);
            await ReadThroughAsync(client, "\r\n\r\nok", token);
        }

        bool[] onLoop = await threads.Seen.WaitAsync(token);
        Assert.That(onLoop[0], Is.False, "else this shows nothing");
        Assert.That(onLoop[1..], Is.All.True);
    }

    private static byte[] Request(string fields) =>
        Encoding.ASCII.GetBytes($"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");

    /// <summary>A worker whose targets answer each request head with this; with nothing: they close.</summary>
    private static FakeTorWorker Answering(string answer) => new()
    {
        OnStream = async (stream, _, stop) =>
        {
            while (true)
            {
                await ReadThroughAsync(stream, "\r\n\r\n", stop);
                if (answer.Length == 0)
                    return;
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), stop);
            }
        },
    };

    private static async Task<string> ReadThroughAsync(NetworkStream stream, string end, CancellationToken token)
    {
        var all = new StringBuilder();
        byte[] one = new byte[1];
        while (!all.ToString().EndsWith(end, StringComparison.Ordinal) && await stream.ReadAsync(one, token) > 0)
            all.Append((char)one[0]);
        return all.ToString();
    }

    /// <summary>For each request that was logged: whether that was on a loop's thread.</summary>
    private sealed class LoopsOfRequests : ILoggerProvider, ILogger
    {
        public const int Expected = 3;

        private readonly ConcurrentQueue<bool> _onLoop = [];
        private readonly TaskCompletionSource<bool[]> _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<bool[]> Seen => _seen.Task;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Name != "access_request")
                return;
            _onLoop.Enqueue(EventLoop.Current is not null);
            if (_onLoop.Count == Expected)
                _seen.TrySetResult([.. _onLoop]);
        }

        public void Dispose()
        {
        }
    }
}
