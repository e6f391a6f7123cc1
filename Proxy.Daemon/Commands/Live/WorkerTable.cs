using System.Globalization;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary>How a worker is shown wherever it is.</summary>
internal static class WorkerTable
{
    /// <summary>Its state, with what the operator said of it before what health says.</summary>
    /// <param name="health">An object with <c>state</c> and <c>administrative</c>.</param>
    public static Cell State(JsonElement health)
    {
        string state = health.Text("state") ?? "-";
        if (health.Text("administrative") is ("draining" or "leaving") and var said)
            return new Cell($"{state} {said}", Tone.Dim);
        return new Cell(state, state switch
        {
            "HEALTHY" => Tone.Good,
            "DEAD" => Tone.Bad,
            _ => Tone.Warning,
        });
    }

    /// <summary>99 %; "-" before the first dial.</summary>
    public static string Success(JsonElement worker)
    {
        double rate = worker.Member("health")?.Number("success_rate") ?? 1;
        return worker.Whole("total_connections") is null or 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{rate * 100:0} %");
    }

    public static string Connect(JsonElement worker) =>
        worker.Number("connect_ms") is { } time ? string.Create(CultureInfo.InvariantCulture, $"{time:0} ms") : "-";

    /// <summary>The version, with a star when it has known faults.</summary>
    public static Cell Tor(JsonElement worker)
    {
        if (worker.Member("tor") is not { } tor)
            return "-";
        if (tor.Flag("connected") != true)
            return new Cell("no control", Tone.Warning);
        bool isFaulty = tor.Items("faults").Any();
        return new Cell((tor.Text("version") ?? "?") + (isFaulty ? "*" : ""), isFaulty ? Tone.Warning : Tone.Plain);
    }

    /// <summary>Circuits, and how many of them are clean.</summary>
    public static string Circuits(JsonElement worker)
    {
        if (worker.Member("tor") is not { } tor || tor.Flag("connected") != true)
            return "-";
        string clean = tor.Member("warm")?.Whole("clean") is { } number
            ? string.Create(CultureInfo.InvariantCulture, $" ({number} clean)")
            : "";
        return string.Create(CultureInfo.InvariantCulture, $"{tor.Whole("circuits")}{clean}");
    }

    /// <summary>What is worth saying of a worker besides its row, a line each.</summary>
    public static IEnumerable<(string Text, Tone Tone)> Notes(JsonElement worker)
    {
        string id = worker.Text("id") ?? "?";
        var health = worker.Member("health") ?? default;
        string? next = health.Text("next_retry") is { } wait ? $", tried again in {wait}" : null;
        if (health.Text("reason") is { } reason && (health.Text("state") != "HEALTHY" || next is not null))
            yield return ($"{id}: {reason}{next}", Tone.Warning);
        if (worker.Member("tor") is not { } tor)
            yield break;
        if (tor.Text("problem") is { } problem)
            yield return ($"{id}: control port: {problem}", Tone.Warning);
        if (tor.Whole("bootstrap") is < 100 and var percent && tor.Flag("connected") == true)
            yield return (string.Create(CultureInfo.InvariantCulture, $"{id}: tor has started to {percent} %"), Tone.Warning);
        if (tor.Flag("network_live") == false && tor.Flag("connected") == true)
            yield return ($"{id}: its tor sees no network", Tone.Warning);
        if (tor.Text("brake") is { } brake)
            yield return ($"{id}: no exit is blamed now: {brake}", Tone.Dim);
        if (tor.Member("warm")?.Text("held") is { } held)
            yield return ($"{id}: no circuit is built ahead: {held}", Tone.Dim);
    }
}
