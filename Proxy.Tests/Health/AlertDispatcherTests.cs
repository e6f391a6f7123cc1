using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Health.Commands;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Health;

/// <summary>How events reach those who are told besides the log.</summary>
[CancelAfter(30_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class AlertDispatcherTests : IDisposable
{
    private static readonly DateTimeOffset Then = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly ManualTimeProvider _clock = new();
    private readonly ListLogger _log = new();
    private readonly HealthEvents _events = new();

    public void Dispose() => _log.Dispose();

    [Test]
    public async Task Alerts_of_a_kind_are_held_back_and_counted_and_other_states_are_not(CancellationToken token)
    {
        var sink = new ListSink();
        await using var dispatcher = new AlertDispatcher(_events, [sink], TimeSpan.FromMinutes(1), _clock);
        dispatcher.Start();
        Publish("healthy", "suspect");
        await sink.WaitAsync(1, token);
        Publish("healthy", "suspect");
        Publish("healthy", "suspect");
        Publish("suspect", "dead");
        Publish("healthy", "suspect", "worker-02");
        await sink.WaitAsync(3, token);
        _clock.Advance(TimeSpan.FromMinutes(1));
        Publish("healthy", "suspect");
        await sink.WaitAsync(4, token);

        Assert.That(sink.Sent.Select(static one => $"{one.Worker} {one.To} {one.Suppressed}"),
            Is.EqualTo(["worker-01 suspect 0", "worker-01 dead 0", "worker-02 suspect 0", "worker-01 suspect 2"]));
    }

    [Test]
    public async Task Webhook_gets_json_by_post(CancellationToken token)
    {
        using var hook = new Hook();
        using var sink = new WebhookAlertSink($"http://{hook.Address}/hook?a=b", TimeProvider.System, _log.CreateLogger("x"));
        var sending = sink.SendAsync(
            new HealthEvent(HealthEventKind.StateChanged, Then, "worker-01", "healthy", "suspect", "first_failure: worker_refused"), token);
        var (head, body) = await hook.AnswerAsync("204 No Content", token);
        await sending;

        Assert.That(
            head,
            Does.StartWith("POST /hook?a=b HTTP/1.1\r\n").And.Contain(
                "Content-Type: application/json\r\n").And.Contain($"Host: {hook.Address}\r\n"));
        Assert.That(body, Is.EqualTo(
            """
            {"kind":"state_changed","time":"2026-01-01T00:00:00+00:00","worker":"worker-01","from":"healthy",
            "to":"suspect","reason":"first_failure: worker_refused","suppressed":0}
            """.Replace("\n", "", StringComparison.Ordinal)));
        Assert.That(_log.Entries, Is.Empty);
    }

    [TestCase("state_changed", HealthEventKind.StateChanged)]
    [TestCase("manual_intervention", HealthEventKind.ManualIntervention)]
    [TestCase("demotion_frozen", HealthEventKind.DemotionFrozen)]
    [TestCase("demotion_thawed", HealthEventKind.DemotionThawed)]
    public void Kinds_have_one_word_everywhere(string word, HealthEventKind kind)
    {
        Assert.That(HealthEvent.Word(kind), Is.EqualTo(word));
        string json = JsonSerializer.Serialize(new HealthEvent(kind, Then, "", "", "", ""), HealthEventJson.Default.HealthEvent);
        Assert.That(JsonDocument.Parse(json).RootElement.GetProperty("kind").GetString(), Is.EqualTo(word));
    }

    [Test]
    public async Task Webhook_that_answers_badly_or_is_not_there_is_logged(CancellationToken token)
    {
        using var hook = new Hook();
        using var sink = new WebhookAlertSink($"http://{hook.Address}/", TimeProvider.System, _log.CreateLogger("x"));
        var sending = sink.SendAsync(Event("suspect"), token);
        await hook.AnswerAsync("503 Busy", token);
        await sending;
        hook.Dispose();
        await sink.SendAsync(Event("suspect"), token);

        var reasons = _log.OfEvent("WebhookFailed").Select(static entry => entry.Message).ToArray();
        Assert.That(reasons, Has.Length.EqualTo(2));
        Assert.That(reasons[0], Does.EndWith("it answered 503"));
    }

    [Test]
    public async Task Webhook_that_hangs_is_given_up_and_others_are_told_all_the_same(CancellationToken token)
    {
        using var hook = new Hook();
        var other = new ListSink();
        using var sink = new WebhookAlertSink($"http://{hook.Address}/", _clock, _log.CreateLogger("x"));
        await using var dispatcher = new AlertDispatcher(_events, [sink, other], TimeSpan.Zero, _clock);
        dispatcher.Start();
        Publish("healthy", "suspect");
        await hook.TakeAsync(token);
        Assert.That(other.Sent, Is.Empty);
        _clock.Advance(TimeSpan.FromSeconds(5));
        await other.WaitAsync(1, token);

        Assert.That(_log.OfEvent("WebhookFailed").Single().Message, Does.EndWith("no answer in time"));
    }

    [Test]
    public async Task Stopping_does_not_wait_for_a_sink_that_hangs(CancellationToken token)
    {
        using var hook = new Hook();
        var dispatcher = new AlertDispatcher(
            _events, [new WebhookAlertSink($"http://{hook.Address}/", _clock, _log.CreateLogger("x"))], TimeSpan.Zero, _clock);
        dispatcher.Start();
        Publish("healthy", "suspect");
        await hook.TakeAsync(token);
        await dispatcher.DisposeAsync().AsTask().WaitAsync(token);
    }

    [Test]
    public async Task Command_has_the_event_in_its_environment_and_not_in_its_line(CancellationToken token)
    {
        var directory = Directory.CreateTempSubdirectory("tba");
        string path = Path.Combine(directory.FullName, "out");
        var sink = new CommandAlertSink(
            $"printf '%s|%s|%s|%s|%s|%s|%s' \"$TORBALANCER_EVENT_KIND\" \"$TORBALANCER_EVENT_TIME\" \"$TORBALANCER_EVENT_WORKER\" "
                + $"\"$TORBALANCER_EVENT_FROM\" "
            + $"\"$TORBALANCER_EVENT_TO\" \"$TORBALANCER_EVENT_REASON\" \"$TORBALANCER_EVENT_SUPPRESSED\" > {path}",
            new CommandRunner(TimeProvider.System), _log.CreateLogger("x"));

        await sink.SendAsync(new HealthEvent(HealthEventKind.StateChanged, Then, "w", "healthy", "dead", "$(touch x); `id`", 4), token);

        Assert.That(
            await File.ReadAllTextAsync(path, token),
            Is.EqualTo("state_changed|2026-01-01T00:00:00.0000000+00:00|w|healthy|dead|$(touch x); `id`|4"));
        Assert.That(_log.Entries, Is.Empty);
        directory.Delete(recursive: true);
    }

    [Test]
    public async Task Command_that_fails_is_logged(CancellationToken token)
    {
        var sink = new CommandAlertSink("echo no mail here; exit 7", new CommandRunner(TimeProvider.System), _log.CreateLogger("x"));
        await sink.SendAsync(Event("dead"), token);
        Assert.That(_log.OfEvent("CommandFailed").Single().Message, Is.EqualTo("[Alerts] Command failed (exit code 7): no mail here"));
    }

    [Test]
    public async Task Command_that_hangs_is_ended_after_half_a_minute(CancellationToken token)
    {
        var sink = new CommandAlertSink("sleep 1000", new CommandRunner(_clock), _log.CreateLogger("x"));
        var sending = sink.SendAsync(Event("dead"), token);
        _clock.Advance(TimeSpan.FromSeconds(30));
        await sending;
        Assert.That(_log.OfEvent("CommandFailed").Single().Message, Does.Contain("killed after 30 s"));
    }

    private void Publish(string from, string to, string worker = "worker-01") =>
        _events.Publish(new HealthEvent(HealthEventKind.StateChanged, _clock.GetUtcNow(), worker, from, to, "why"));

    private static HealthEvent Event(string to) => new(HealthEventKind.StateChanged, Then, "w", "healthy", to, "why");

    private sealed class ListSink : IAlertSink
    {
        private readonly SemaphoreSlim _added = new(0);
        private readonly List<HealthEvent> _sent = [];

        public IReadOnlyList<HealthEvent> Sent
        {
            get
            {
                lock (_sent)
                    return [.. _sent];
            }
        }

        public Task SendAsync(HealthEvent happened, CancellationToken cancellationToken)
        {
            lock (_sent)
                _sent.Add(happened);
            _added.Release();
            return Task.CompletedTask;
        }

        public async Task WaitAsync(int count, CancellationToken token)
        {
            while (Sent.Count < count)
                await _added.WaitAsync(token);
        }
    }

    /// <summary>Somebody's web server, for one request at a time.</summary>
    private sealed class Hook : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private TcpClient? _client;

        public Hook() => _listener.Start();

        public EndPoint Address => _listener.LocalEndpoint;

        /// <summary>Takes a request and says nothing.</summary>
        public async Task<(string Head, string Body)> TakeAsync(CancellationToken token)
        {
            _client = await _listener.AcceptTcpClientAsync(token);
            var stream = _client.GetStream();
            var text = new StringBuilder();
            byte[] buffer = new byte[4096];
            while (true)
            {
                string now = text.ToString();
                int end = now.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                if (end >= 0)
                {
                    string head = now[..(end + 4)];
                    string length = head.Split("Content-Length: ")[1].Split('\r')[0];
                    if (now.Length - head.Length >= int.Parse(length, System.Globalization.CultureInfo.InvariantCulture))
                        return (head, now[head.Length..]);
                }

                int count = await stream.ReadAsync(buffer, token);
                text.Append(Encoding.UTF8.GetString(buffer, 0, count));
            }
        }

        public async Task<(string Head, string Body)> AnswerAsync(string status, CancellationToken token)
        {
            var request = await TakeAsync(token);
            await _client!.GetStream()
                .WriteAsync(
                    Encoding.ASCII.GetBytes(
                        $"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".Replace(
                            "Content-Length: 0\r\n", status.StartsWith("204", StringComparison.Ordinal) ? "" : "Content-Length: 0\r\n")),
                    token);
            _client.Close();
            return request;
        }

        public void Dispose()
        {
            _client?.Dispose();
            _listener.Dispose();
        }
    }
}
