using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Admin.Events;
using TorBalancer.Daemon.Admin;
using TorBalancer.Primitives;
using TorBalancer.Server;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>GET /api/v1/events.</summary>
public sealed class EventStreamTests
{
    private static readonly AdminEventTiming Quick = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1));

    [Test, CancelAfter(30_000)]
    public async Task Events_come_in_the_words_of_the_log(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], timing: Quick);
        await using var reader = await EventReader.OpenAsync(admin, "", null, token);
        await admin.PostAsync("/api/v1/workers/worker-01/drain", token);
        var (id, kind, data) = await reader.NextAsync(token);
        Assert.That(kind, Is.EqualTo("worker_drain"));
        Assert.That(data.GetProperty("id").GetString(), Is.EqualTo(id));
        Assert.That(data.GetProperty("worker").GetString(), Is.EqualTo("worker-01"));
        Assert.That(data.GetProperty("active").GetInt32(), Is.Zero);
        Assert.That(data.GetProperty("level").GetString(), Is.EqualTo("info"));
        Assert.That(
            data.GetProperty("message").GetString(),
            Is.EqualTo(admin.Proxy.Log.Entries.Single(static one => one.Event.Id == AdminEventIds.WorkerDraining).Message));

        await admin.PostAsync("/api/v1/workers/worker-01/enable", token);
        Assert.That((await reader.NextAsync(token)).Kind, Is.EqualTo("worker_enable"));
        admin.Proxy.Health.DialFailed(admin.Proxy.Pool.Find("worker-01")!, new ProxyError(FailureCause.WorkerRefused, "refused"));
        JsonElement state;
        do
        {
            (_, kind, state) = await reader.NextAsync(token);
        }
        while (kind != "worker_state");
        Assert.That(state.GetProperty("to").GetString(), Is.EqualTo("suspect"));
        Assert.That(state.GetProperty("level").GetString(), Is.EqualTo("warning"));

        admin.Proxy.Health.Enable(admin.Proxy.Pool.Find("worker-01")!);
        do
        {
            (_, kind, state) = await reader.NextAsync(token);
        }
        while (kind != "worker_state");
        Assert.That(
            (state.GetProperty("from").GetString(), state.GetProperty("to").GetString()), Is.EqualTo(("suspect", "healthy")));

        // And while nothing happens, both ends learn that the other is there.
        Assert.That(await reader.CommentAsync(token), Is.EqualTo("keep-alive"));
    }

    [Test, CancelAfter(30_000)]
    public async Task Reader_goes_on_where_it_was(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync([], timing: Quick);
        for (int i = 0; i < 10; i++)
            Publish(admin, i);
        string third;
        await using (var first = await EventReader.OpenAsync(admin, "?recent=10", null, token))
        {
            await first.NextAsync(token);
            await first.NextAsync(token);
            third = (await first.NextAsync(token)).Id!;
        }

        await using (var again = await EventReader.OpenAsync(admin, "", third, token))
            Assert.That(Number((await again.NextAsync(token)).Data), Is.EqualTo(3));
        await using (var query = await EventReader.OpenAsync(admin, $"?follow=no&last_event_id={third}", null, token))
            Assert.That(await query.AllAsync(token), Is.EqualTo(new[] { "3", "4", "5", "6", "7", "8", "9" }));
        await using (var few = await EventReader.OpenAsync(admin, "?follow=no&recent=2", null, token))
            Assert.That(await few.AllAsync(token), Is.EqualTo(new[] { "8", "9" }));
        await using (var none = await EventReader.OpenAsync(admin, "?follow=no", null, token))
            Assert.That(await none.AllAsync(token), Is.Empty);
    }

    [Test, CancelAfter(30_000)]
    public async Task Reader_that_asks_for_what_is_gone_is_told_so(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync([], timing: Quick);
        for (int i = 0; i < EventHub.Capacity + 20; i++)
            Publish(admin, i);
        await using (var old = await EventReader.OpenAsync(admin, "", $"{admin.Events.Run}-3", token))
        {
            var (id, kind, data) = await old.NextAsync(token);
            Assert.That((id, kind), Is.EqualTo(((string?)null, "events_lost")));
            Assert.That(data.GetProperty("reason").GetString(), Does.Contain("only the latest 1000"));
            Assert.That(data.GetProperty("oldest").GetString(), Is.EqualTo($"{admin.Events.Run}-{admin.Events.Oldest}"));
            Assert.That(Number((await old.NextAsync(token)).Data), Is.EqualTo(20), "the oldest that there is");
        }

        await using (var other = await EventReader.OpenAsync(admin, "", "1a2b-3", token))
            Assert.That((await other.NextAsync(token)).Data.GetProperty("reason").GetString(), Does.Contain("started anew"));
        await using (var kept = await EventReader.OpenAsync(admin, "?follow=no", $"{admin.Events.Run}-{admin.Events.Oldest - 1}", token))
            Assert.That(await kept.AllAsync(token), Has.Count.EqualTo(EventHub.Capacity), "the last that could be asked for");
        foreach (string wrong in (string[])["?last_event_id=12", "?recent=1001", "?recent=x", "?follow=maybe"])
        {
            await AdminUnderTest.ReadAsync(
                await admin.Client.GetAsync($"{admin.Base}/api/v1/events{wrong}", token), HttpStatusCode.BadRequest, token);
        }
    }

    [Test, CancelAfter(60_000)]
    public async Task Reader_that_does_not_read_is_dropped_and_the_log_says_so(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync([], timing: Quick);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(admin.Server.Address!, token);
        await socket.SendAsync(Encoding.ASCII.GetBytes("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"), token);
        byte[] some = new byte[256];
        await socket.ReceiveAsync(some, token);
        string text = new('x', 20_000);
        while (!admin.Proxy.Log.Entries.Any(static one => one.Event.Id == AdminEventIds.EventReaderDropped))
        {
            for (int i = 0; i < 50; i++)
                admin.Events.Publish("listener", "info", text, []);
            await Task.Delay(5, token);
        }

        // What is left in the kernel ends; nothing keeps the place.
        byte[] rest = new byte[64 * 1024];
        try
        {
            while (await socket.ReceiveAsync(rest, token) > 0)
            {
            }
        }
        catch (SocketException)
        {
        }
    }

    [Test]
    public void Reader_far_behind_finds_that_it_has_lost_something()
    {
        var hub = new EventHub(TimeProvider.System);
        for (int i = 0; i < EventHub.Capacity + 1; i++)
            hub.Publish("listener", "info", "x", []);
        Assert.That(hub.Read(0, 10, out bool lost), Is.Empty);
        Assert.That(lost, Is.True);
        Assert.That(hub.Read(1, 10, out lost), Has.Count.EqualTo(10));
        Assert.That(lost, Is.False);
        Assert.That(hub.Read(hub.Last, 10, out lost), Is.Empty);
        Assert.That(lost, Is.False);
    }

    [Test]
    public void Only_logs_with_events_are_listened_to()
    {
        var hub = new EventHub(TimeProvider.System);
        using var provider = new ServiceCollection()
            .AddLogging(builder => EventLoggerProvider.AddTo(
                builder.SetMinimumLevel(LogLevel.Trace), hub, EventKinds.Of, EventKinds.Categories)).BuildServiceProvider();
        var loggers = provider.GetRequiredService<ILoggerFactory>();
        Assert.That(
            loggers.CreateLogger(typeof(AccessLog).FullName!).IsEnabled(LogLevel.Critical), Is.False, "it would cost every connection");
        Assert.That(loggers.CreateLogger(typeof(ProxyServer).FullName!).IsEnabled(LogLevel.Information), Is.True);
        Assert.That(loggers.CreateLogger(typeof(ProxyServer).FullName!).IsEnabled(LogLevel.Debug), Is.False);
        loggers.CreateLogger(typeof(ProxyServer).FullName!).Log(
            LogLevel.Information, new EventId(ServerEventIds.AcceptFailed), "no event", null, static (text, _) => text);
        Assert.That(hub.Last, Is.Zero);
    }

    /// <summary>A line of the log that names a target, a client or a session is no event.</summary>
    [Test]
    public void Lines_that_are_events_name_no_target_client_or_session()
    {
        string[] telling = ["Target", "Client", "Host", "Session", "User", "Url", "Name"];
        int events = 0;
        string sources = Path.Combine(Architecture.Repository.Root, "Proxy.Core");
        foreach (string file in Directory.EnumerateFiles(sources, "*.cs", SearchOption.AllDirectories))
        {
            if (file.Contains("/obj/", StringComparison.Ordinal))
                continue;
            foreach (Match line in Regex.Matches(
                File.ReadAllText(file), @"LoggerMessage\(\s*(\w+EventIds)\.(\w+),.*?\)\]", RegexOptions.Singleline))
            {
                var ids = typeof(AdminEventIds).Assembly.GetTypes().Single(type => type.Name == line.Groups[1].Value);
                int id = (int)ids.GetField(line.Groups[2].Value)!.GetValue(null)!;
                if (EventKinds.Of(id) is null)
                    continue;
                events++;
                Assert.That(telling.Where(name => line.Value.Contains("{" + name + "}", StringComparison.Ordinal)), Is.Empty, file);
            }
        }

        Assert.That(events, Is.GreaterThan(20), "they are found");
    }

    private static void Publish(AdminUnderTest admin, int number) =>
        admin.Events.Publish("listener", "info", $"event {number}", [new("number", number)]);

    private static int Number(JsonElement data) => data.GetProperty("number").GetInt32();

    /// <summary>Reads a stream of events as a browser does.</summary>
    private sealed class EventReader(HttpResponseMessage response, StreamReader lines) : IAsyncDisposable
    {
        public static async Task<EventReader> OpenAsync(AdminUnderTest admin, string query, string? lastEventId, CancellationToken token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, admin.Base + "/api/v1/events" + query);
            if (lastEventId is not null)
                request.Headers.Add("Last-Event-ID", lastEventId);
            var response = await admin.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
            var reader = new EventReader(response, new StreamReader(await response.Content.ReadAsStreamAsync(token)));
            Assert.That(await reader.CommentAsync(token), Is.EqualTo("torbalancer"), "the stream is open");
            return reader;
        }

        public async Task<(string? Id, string? Kind, JsonElement Data)> NextAsync(CancellationToken token) =>
            await TryNextAsync(token) ?? throw new AssertionException("the stream has ended");

        public async Task<List<string>> AllAsync(CancellationToken token)
        {
            var numbers = new List<string>();
            while (await TryNextAsync(token) is { } next)
                numbers.Add(next.Data.GetProperty("number").ToString());
            return numbers;
        }

        public async Task<string> CommentAsync(CancellationToken token)
        {
            while (await lines.ReadLineAsync(token) is { } line)
            {
                if (line.StartsWith(": ", StringComparison.Ordinal))
                    return line[2..];
            }

            throw new AssertionException("the stream has ended");
        }

        public ValueTask DisposeAsync()
        {
            lines.Dispose();
            response.Dispose();
            return ValueTask.CompletedTask;
        }

        private async Task<(string? Id, string? Kind, JsonElement Data)?> TryNextAsync(CancellationToken token)
        {
            string? id = null, kind = null, data = null;
            while (await lines.ReadLineAsync(token) is { } line)
            {
                if (line.Length == 0 && data is not null)
                    return (id, kind, JsonDocument.Parse(data).RootElement.Clone());
                int colon = line.IndexOf(": ", StringComparison.Ordinal);
                string value = colon < 0 ? "" : line[(colon + 2)..];
                switch (colon < 0 ? line : line[..colon])
                {
                    case "id":
                        id = value;
                        break;
                    case "event":
                        kind = value;
                        break;
                    case "data":
                        data = value;
                        break;
                }
            }

            return null;
        }
    }
}
