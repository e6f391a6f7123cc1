using System.Text;
using TorBalancer.Daemon.Client;

namespace TorBalancer.Tests.Client;

public class ServerSentEventsTests
{
    [Test]
    public async Task Events_come_with_id_name_and_data_and_comments_are_passed_over()
    {
        const string text = ": keep-alive\n\nid: 1-7\nevent: worker_state\ndata: {\"a\":1}\n\ndata: two\ndata:lines\n\n"
            + ": keep-alive\n\nid: 1-8\ndata: cut";

        var found = await ReadAsync(text);

        Assert.That(found, Is.EqualTo(new[]
        {
            new ServerSentEvent("1-7", "worker_state", "{\"a\":1}"), new ServerSentEvent(null, "message", "two\nlines"),
        }));
    }

    [TestCase("\r\n"), TestCase("\n"), TestCase("\r")]
    public async Task Events_end_with_any_line_end(string end)
    {
        var found = await ReadAsync($"event: a{end}data: b{end}{end}");

        Assert.That(found, Is.EqualTo(new[] { new ServerSentEvent(null, "a", "b") }));
    }

    private static async Task<ServerSentEvent[]> ReadAsync(string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        var found = new List<ServerSentEvent>();
        await foreach (var one in ServerSentEvents.ReadAsync(stream, CancellationToken.None))
            found.Add(one);
        return [.. found];
    }
}
