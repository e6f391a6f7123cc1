using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Admin.Events;

namespace TorBalancer.Daemon.Admin;

/// <summary>How long the event stream waits for things.</summary>
/// <param name="KeepAlive">Silence after which a comment is sent, so that both ends hear when the other has gone.</param>
/// <param name="Patience">How long a reader may take for what was sent.</param>
internal sealed record AdminEventTiming(TimeSpan KeepAlive, TimeSpan Patience)
{
    public static AdminEventTiming Default { get; } = new(TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(10));
}

/// <summary>
/// GET /api/v1/events: what happens, as it happens, as server-sent events (HTML Standard, section 9.2). A reader has no queue: it takes
/// from the ring of the latest events what it has not seen, so slow ones cost nothing, and are told when they have missed something.
/// </summary>
/// <param name="kinds">The words of the events that there are.</param>
internal sealed partial class AdminEventRoutes(
    EventHub hub, IReadOnlyList<string> kinds, AdminEventTiming timing, ILogger logger, CancellationToken stopping)
{
    private static readonly string[] Read = ["GET"];
    private static readonly string[] YesNo = ["yes", "no"];

    /// <summary>Events that are written before the reader must have taken them.</summary>
    private const int Batch = 64;

    public void Map(IEndpointRouteBuilder routes) => routes.MapMethods("/api/v1/events", Read, FollowAsync).WithMetadata(
        new AdminOperation("followEvents", "What happens, as server-sent events: " + string.Join(", ", kinds))
        {
            AnswerType = "text/event-stream",
            AnswerSchema = """
                {"type": "string", "description": "Each event's data is an object: id, time, event, level, message, and the values in it"}
                """,
            Parameters =
            [
                new AdminParameter("Last-Event-ID", "Go on behind the event with this id", "header"),
                new AdminParameter("last_event_id", "The same, for clients that cannot send the header"),
                new AdminParameter("recent", "First up to so many events from before, 0 to 1000"),
                new AdminParameter("follow", "no: end when what there is was sent", Allowed: YesNo),
            ],
            Problems = [StatusCodes.Status400BadRequest],
        });

    private async Task FollowAsync(HttpContext context)
    {
        var query = context.Request.Query;
        string? asked = context.Request.Headers["Last-Event-ID"].FirstOrDefault() ?? query["last_event_id"].FirstOrDefault();
        EventPosition from = default;
        if (!string.IsNullOrEmpty(asked) && !EventHub.TryParse(asked, out from))
        {
            await context.WriteProblemAsync(
                StatusCodes.Status400BadRequest, "an event's id is RUN-NUMBER, as it was sent", "last_event_id");
            return;
        }

        int recent = 0;
        if (query["recent"].FirstOrDefault() is { } text
            && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out recent) || recent > EventHub.Capacity))
        {
            await context.WriteProblemAsync(
                StatusCodes.Status400BadRequest, $"recent must be a number from 0 to {EventHub.Capacity}", "recent");
            return;
        }

        string follow = query["follow"].FirstOrDefault() ?? YesNo[0];
        if (!YesNo.Contains(follow))
        {
            await context.WriteProblemAsync(StatusCodes.Status400BadRequest, "follow must be yes or no", "follow", YesNo);
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        try
        {
            await StreamAsync(context, string.IsNullOrEmpty(asked) ? null : from, recent, follow == YesNo[0], either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            // The reader has left, or we stop.
        }
    }

    private async Task StreamAsync(
        HttpContext context, EventPosition? asked, int recent, bool follow, CancellationToken cancellationToken)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";

        // Silence is no slowness here; how long one may take is looked at below.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        var output = new ArrayBufferWriter<byte>();
        Comment(output, "torbalancer");
        long position = hub.Last - recent < hub.Oldest - 1 ? hub.Oldest - 1 : hub.Last - recent;
        if (asked is { } from)
        {
            bool isKept = from.Run == hub.Run && from.Number <= hub.Last && from.Number >= hub.Oldest - 1;
            position = isKept ? from.Number : hub.Oldest - 1;
            if (!isKept)
                Lost(output, from);
        }

        while (true)
        {
            var changed = hub.Changed;
            var events = hub.Read(position, Batch, out bool lost);
            if (lost)
            {
                Dropped(output, $"more than {EventHub.Capacity} events happened while earlier ones were not read");
                await SendAsync(context, output, cancellationToken);
                Log.Dropped(logger, "it is more than the kept events behind");
                return;
            }

            foreach (var happened in events)
                Write(output, happened);
            position += events.Count;
            if (output.WrittenCount > 0 && !await SendAsync(context, output, cancellationToken))
                return;
            if (events.Count > 0)
                continue;
            if (!follow)
                return;
            await changed.WaitAsync(timing.KeepAlive, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            if (!changed.IsCompleted)
                Comment(output, "keep-alive");
        }
    }

    /// <summary>False: the reader did not take it in time, and was cut.</summary>
    private async Task<bool> SendAsync(HttpContext context, ArrayBufferWriter<byte> output, CancellationToken cancellationToken)
    {
        var sending = WriteAsync(context.Response.Body, output, cancellationToken);
        await sending.WaitAsync(timing.Patience, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        if (sending.IsCompleted)
        {
            await sending;
            return true;
        }

        Log.Dropped(logger, "it has not read for too long");
        context.Abort();
        return false;
    }

    private static async Task WriteAsync(Stream body, ArrayBufferWriter<byte> output, CancellationToken cancellationToken)
    {
        await body.WriteAsync(output.WrittenMemory, cancellationToken);
        await body.FlushAsync(cancellationToken);
        output.ResetWrittenCount();
    }

    private void Write(ArrayBufferWriter<byte> output, AdminEvent happened)
    {
        string id = hub.IdOf(happened);
        Line(output, $"id: {id}\nevent: {happened.Kind}\ndata: ");
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = AdminJson.Instance.Options.Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("id", id);
            json.WriteString("time", happened.Time.UtcDateTime);
            json.WriteString("event", happened.Kind);
            json.WriteString("level", happened.Level);
            json.WriteString("message", happened.Message);
            foreach (var (name, value) in happened.Values)
                WriteValue(json, Reserved.Contains(name) ? "value_" + name : name, value);
            json.WriteEndObject();
        }

        Line(output, "\n\n");
    }

    /// <summary>Members that every event has; a value of a message that has such a name goes by another.</summary>
    private static readonly string[] Reserved = ["id", "time", "event", "level", "message"];

    private static void WriteValue(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNull(name);
                break;
            case bool truth:
                json.WriteBoolean(name, truth);
                break;
            case int number:
                json.WriteNumber(name, number);
                break;
            case long number:
                json.WriteNumber(name, number);
                break;
            case double number when double.IsFinite(number):
                json.WriteNumber(name, number);
                break;
            default:
                json.WriteString(name, value.ToString());
                break;
        }
    }

    /// <summary>Without an id: a reader that comes back asks for the same again.</summary>
    private void Lost(ArrayBufferWriter<byte> output, EventPosition asked)
    {
        bool isEarlier = asked.Run != hub.Run;
        Line(output, "event: events_lost\ndata: ");
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("event", "events_lost");
            json.WriteString("asked", string.Create(CultureInfo.InvariantCulture, $"{asked.Run}-{asked.Number}"));
            json.WriteString("oldest", string.Create(CultureInfo.InvariantCulture, $"{hub.Run}-{hub.Oldest}"));
            json.WriteString(
                "reason",
                isEarlier ? "the daemon was started anew since" : asked.Number > hub.Last ? "no such event has happened yet"
                : string.Create(CultureInfo.InvariantCulture, $"only the latest {EventHub.Capacity} events are kept"));
            json.WriteEndObject();
        }

        Line(output, "\n\n");
    }

    private static void Dropped(ArrayBufferWriter<byte> output, string reason)
    {
        Line(output, "event: dropped\ndata: ");
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("event", "dropped");
            json.WriteString("reason", reason);
            json.WriteEndObject();
        }

        Line(output, "\n\n");
    }

    private static void Comment(ArrayBufferWriter<byte> output, string text) => Line(output, $": {text}\n\n");

    private static void Line(ArrayBufferWriter<byte> output, string text) => Encoding.UTF8.GetBytes(text, output);

    private static partial class Log
    {
        [LoggerMessage(AdminEventIds.EventReaderDropped, LogLevel.Information, "A reader of events was dropped: {Reason}")]
        public static partial void Dropped(ILogger logger, string reason);
    }
}
