using System.Text.Json;
using TorBalancer.Daemon.Client;

namespace TorBalancer.Daemon.Commands.Live.Top;

/// <summary>What the daemon said at one moment.</summary>
/// <param name="At">From a clock that only goes forward.</param>
internal sealed record TopSample(TimeSpan At, IReadOnlyList<JsonElement> Workers, IReadOnlyList<JsonElement> Connections)
{
    /// <summary>Bytes that a worker has carried: those of ended connections, which it counts, and those of live ones.</summary>
    public (long Sent, long Received) BytesOf(JsonElement worker)
    {
        long sent = worker.Whole("bytes_sent") ?? 0, received = worker.Whole("bytes_received") ?? 0;
        string? id = worker.Text("id");
        foreach (var connection in Connections)
        {
            if (connection.Text("worker") != id)
                continue;
            sent += connection.Whole("bytes_sent") ?? 0;
            received += connection.Whole("bytes_received") ?? 0;
        }

        return (sent, received);
    }
}

/// <summary>One worker between two samples.</summary>
/// <param name="Now">As the daemon shows it.</param>
/// <param name="Dials">Connections a second.</param>
/// <param name="Sent">Bytes a second to the worker.</param>
/// <param name="Received">Bytes a second from it.</param>
internal sealed record TopWorker(JsonElement Now, double Dials, double Sent, double Received)
{
    public string Id => Now.Text("id") ?? "?";

    public long Connections => Now.Member("health")?.Whole("connections") ?? 0;

    /// <summary>All workers, in the order of the daemon. Without an earlier sample the rates are NaN.</summary>
    public static IReadOnlyList<TopWorker> Between(TopSample? before, TopSample now)
    {
        double seconds = before is null ? double.NaN : (now.At - before.At).TotalSeconds;
        return [.. now.Workers.Select(worker => Of(before, now, worker, seconds))];
    }

    private static TopWorker Of(TopSample? before, TopSample now, JsonElement worker, double seconds)
    {
        // One that was added meanwhile has no rates yet.
        var earlier = before?.Workers.FirstOrDefault(other => other.Text("id") == worker.Text("id")) ?? default;
        if (earlier.ValueKind != JsonValueKind.Object)
            return new TopWorker(worker, double.NaN, double.NaN, double.NaN);
        var (sent, received) = now.BytesOf(worker);
        var (sentBefore, receivedBefore) = before!.BytesOf(earlier);
        long dials = (worker.Whole("total_connections") ?? 0) - (earlier.Whole("total_connections") ?? 0);

        // Workers and connections are two answers: what ends in between may be missing in one of them.
        return new TopWorker(worker, Rate(dials), Rate(sent - sentBefore), Rate(received - receivedBefore));

        double Rate(long count) => Math.Max(0, count) / seconds;
    }
}
