using System.Text.Json;
using TorBalancer.Daemon.Client;

namespace TorBalancer.Daemon.Commands.Live.Top;

/// <summary>What the daemon said at one moment.</summary>
/// <param name="At">From a clock that only goes forward.</param>
internal sealed record TopSample(TimeSpan At, IReadOnlyList<JsonElement> Workers, IReadOnlyList<JsonElement> Connections);

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
        return [.. now.Workers.Select(worker => Of(before, worker, seconds))];
    }

    private static TopWorker Of(TopSample? before, JsonElement worker, double seconds)
    {
        // One that was added meanwhile has no rates yet.
        var earlier = before?.Workers.FirstOrDefault(other => other.Text("id") == worker.Text("id")) ?? default;
        if (earlier.ValueKind != JsonValueKind.Object)
            return new TopWorker(worker, double.NaN, double.NaN, double.NaN);
        return new TopWorker(worker, Rate("total_connections"), Rate("bytes_sent"), Rate("bytes_received"));

        // A worker that went and came back meanwhile counts from zero.
        double Rate(string count) => Math.Max(0, (worker.Whole(count) ?? 0) - (earlier.Whole(count) ?? 0)) / seconds;
    }
}
