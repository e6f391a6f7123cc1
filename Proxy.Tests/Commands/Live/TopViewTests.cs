using System.Text.Json;
using TorBalancer.Daemon.Commands.Live.Top;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Tests.Commands.Live;

/// <summary>What top shows, without a screen.</summary>
public class TopViewTests
{
    private static readonly TextStyle Plain = new(HasColour: false);

    [Test]
    public void Rates_are_what_the_workers_count_and_live_connections_are_in_it_once()
    {
        var view = new TopView();
        view.Show(Sample(0, [Worker("a", 10, 1000)], [Connection("c1", "a", 500)]));

        // c1 has moved 700 bytes by now and c2 has moved 300.
        view.Show(Sample(2, [Worker("a", 14, 1500)], [Connection("c1", "a", 700), Connection("c2", "a", 300)]));

        var worker = view.Workers.Single();
        Assert.That((worker.Dials, worker.Sent, worker.Received), Is.EqualTo((2.0, 250.0, 250.0)));
        Assert.That(view.Lines("x", Plain, 100, 0)[0], Does.Contain("2 connections, 2.0 connections/s, 250 B/s sent, 250 B/s received"));
    }

    [Test]
    public void Worker_that_was_added_has_no_rates_yet()
    {
        var view = new TopView();
        view.Show(Sample(0, [Worker("a", 1, 0)], []));
        view.Show(Sample(1, [Worker("a", 1, 0), Worker("b", 50, 0)], []));

        Assert.That(view.Workers[1].Dials, Is.NaN);
    }

    [Test]
    public void Cursor_stays_on_its_worker_when_the_order_changes()
    {
        var view = new TopView();
        view.Show(Sample(0, [Worker("a", 0, 0, 1), Worker("b", 0, 0, 5), Worker("c", 0, 0, 3)], []));
        view.Move(2);
        Assert.That(view.SelectedId, Is.EqualTo("c"));

        view.ChangeOrder();

        Assert.That(view.Order, Is.EqualTo(TopOrder.Connections));
        Assert.That(view.Workers.Select(static worker => worker.Id), Is.EqualTo(new[] { "b", "c", "a" }));
        Assert.That((view.SelectedId, view.Selected), Is.EqualTo(("c", 1)));
    }

    [Test]
    public void Cursor_that_loses_its_connection_stays_among_the_others()
    {
        var view = new TopView();
        view.Show(Sample(0, [Worker("a", 0, 0)], [Connection("c1", "a", 0), Connection("c2", "a", 0)]));
        view.ChangePart();
        view.Move(5);
        Assert.That(view.SelectedId, Is.EqualTo("c2"));

        view.Show(Sample(1, [Worker("a", 0, 0)], [Connection("c1", "a", 0)]));
        Assert.That(view.SelectedId, Is.EqualTo("c1"));
        view.Show(Sample(2, [Worker("a", 0, 0)], []));
        Assert.That(view.SelectedId, Is.Null);
    }

    [TestCase(20, 6), TestCase(80, 24), TestCase(40, 10), TestCase(200, 60)]
    public void Screen_is_never_larger_than_the_terminal(int width, int height)
    {
        var view = new TopView { Message = new string('m', 300) };
        view.Show(Sample(
            0, [.. Enumerable.Range(0, 30).Select(static i => Worker($"worker-{i:00}", 0, 0))],
            [.. Enumerable.Range(0, 100).Select(static i => Connection($"c{i}", "worker-00", i))]));
        view.ChangePart();
        view.Move(77);

        var lines = view.Lines("unix:/run/torbalancer/admin.sock", Plain, width, height);

        Assert.That(lines, Has.Count.EqualTo(height));
        Assert.That(lines, Has.All.Length.LessThanOrEqualTo(width));
        if (height >= 10)
            Assert.That(lines, Has.Some.StartsWith("> c77"));
    }

    private static TopSample Sample(double seconds, JsonElement[] workers, JsonElement[] connections) =>
        new(TimeSpan.FromSeconds(seconds), workers, connections);

    private static JsonElement Worker(string id, int total, int bytes, int connections = 0) => Json(
        $$$"""
        {"id":"{{{id}}}","health":{"state":"HEALTHY","administrative":"enabled","connections":{{{connections}}},"success_rate":1},
         "total_connections":{{{total}}},"bytes_sent":{{{bytes}}},"bytes_received":{{{bytes}}}}
        """);

    private static JsonElement Connection(string id, string worker, int bytes) => Json(
        $$"""{"id":"{{id}}","worker":"{{worker}}","age_ms":5,"bytes_sent":{{bytes}},"bytes_received":{{bytes}}}""");

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement.Clone();
}
