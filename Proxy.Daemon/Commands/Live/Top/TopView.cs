using System.Globalization;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live.Top;

/// <summary>What the workers are sorted by.</summary>
internal enum TopOrder : byte
{
    /// <summary>As the daemon lists them.</summary>
    File,
    Connections,
    Dials,
    Traffic,
    ConnectTime,
}

/// <summary>What <c>top</c> shows and where its cursor is. It draws on nothing and asks nobody.</summary>
internal sealed class TopView
{
    private const string Keys =
        "q quit  arrows move  tab workers/connections  s sort  d drain  e enable  x close  space pause";

    private TopSample? _before, _now;

    public TopOrder Order { get; private set; }

    /// <summary>False: the cursor is among the connections.</summary>
    public bool IsAtWorkers { get; private set; } = true;

    /// <summary>No new samples are shown.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>What the last key did, or what is asked; empty: nothing.</summary>
    public string Message { get; set; } = "";

    /// <summary>Among those that the cursor is in, from 0.</summary>
    public int Selected { get; private set; }

    public IReadOnlyList<TopWorker> Workers { get; private set; } = [];

    public IReadOnlyList<JsonElement> Connections => _now?.Connections ?? [];

    /// <summary>The id of what the cursor is on; null: there is nothing.</summary>
    public string? SelectedId => IsAtWorkers
        ? Workers.ElementAtOrDefault(Selected)?.Id
        : Connections.ElementAtOrDefault(Selected) is { ValueKind: JsonValueKind.Object } one ? one.Text("id") : null;

    public void Show(TopSample sample)
    {
        string? id = SelectedId;
        (_before, _now) = (_now, sample);
        Sort();
        Follow(id);
    }

    public void Move(int rows) => Selected = Math.Clamp(Selected + rows, 0, Math.Max(0, CountOfPart - 1));

    public void ChangePart()
    {
        IsAtWorkers = !IsAtWorkers;
        Selected = 0;
    }

    public void ChangeOrder()
    {
        string? id = SelectedId;
        Order = Order == TopOrder.ConnectTime ? TopOrder.File : Order + 1;
        Sort();
        Follow(id);
        Message = "sorted by " + OrderName;
    }

    public void Pause() => IsPaused = !IsPaused;

    /// <summary>The whole screen, no line longer than its width.</summary>
    /// <param name="height">0: everything, for what is no screen.</param>
    public IReadOnlyList<string> Lines(string place, TextStyle style, int width, int height)
    {
        var lines = new List<string>();
        var workers = Table(style, width, IsAtWorkers && height > 0, WorkerRows(), Workers.Count);
        lines.Add(TextTable.Cut(Head(place), width));
        lines.Add("");

        // Of a small screen the workers have at most half, and what the cursor is in is seen around it.
        int rest = height == 0 ? int.MaxValue : Math.Max(4, height - 6);
        int forWorkers = Math.Min(workers.Count, height == 0 ? int.MaxValue : Math.Max(rest / 2, rest - Connections.Count - 2));
        lines.AddRange(Window(workers, forWorkers, IsAtWorkers ? Selected : 0));
        lines.Add("");
        var connections = Table(style, width, !IsAtWorkers && height > 0, ConnectionRows(), Connections.Count);
        lines.AddRange(Window(connections, height == 0 ? int.MaxValue : Math.Max(1, rest - forWorkers), IsAtWorkers ? 0 : Selected));
        if (height == 0)
            return lines;
        lines = lines.GetRange(0, Math.Min(lines.Count, Math.Max(1, height - 2)));
        while (lines.Count < height - 2)
            lines.Add("");
        lines.Add(style.Paint(TextTable.Cut(Printable.Of(Message), width), Tone.Strong));
        lines.Add(style.Paint(TextTable.Cut(Keys, width), Tone.Dim));
        return lines;
    }

    private string OrderName => Order switch
    {
        TopOrder.Connections => "connections",
        TopOrder.Dials => "connections a second",
        TopOrder.Traffic => "bytes a second",
        TopOrder.ConnectTime => "connect time",
        _ => "the configuration's order",
    };

    private int CountOfPart => IsAtWorkers ? Workers.Count : Connections.Count;

    private void Follow(string? id)
    {
        int found = id is null ? -1
            : IsAtWorkers ? Workers.ToList().FindIndex(worker => worker.Id == id)
            : Connections.ToList().FindIndex(connection => connection.Text("id") == id);
        Selected = found >= 0 ? found : Math.Clamp(Selected, 0, Math.Max(0, CountOfPart - 1));
    }

    private void Sort()
    {
        if (_now is null)
            return;
        var workers = TopWorker.Between(_before, _now);
        Workers = Order switch
        {
            TopOrder.Connections => [.. workers.OrderByDescending(static worker => worker.Connections)],
            TopOrder.Dials => [.. workers.OrderByDescending(static worker => worker.Dials)],
            TopOrder.Traffic => [.. workers.OrderByDescending(static worker => worker.Sent + worker.Received)],
            TopOrder.ConnectTime => [.. workers.OrderByDescending(static worker => worker.Now.Number("connect_ms") ?? 0)],
            _ => workers,
        };
    }

    private string Head(string place)
    {
        double dials = Workers.Sum(static worker => worker.Dials);
        double sent = Workers.Sum(static worker => worker.Sent), received = Workers.Sum(static worker => worker.Received);
        string rates = double.IsNaN(dials)
            ? "rates follow"
            : string.Create(
                CultureInfo.InvariantCulture, $"{dials:0.0} connections/s, {Units.Bytes(sent)}/s sent, {Units.Bytes(received)}/s received");
        return $"TorBalancer at {place}: {Units.Count(Workers.Count, "worker")}, {Units.Count(Connections.Count, "connection")}, {rates}"
            + (IsPaused ? ", paused" : "");
    }

    private TextTable WorkerRows()
    {
        var table = new TextTable("WORKER", "STATE", ">CONN", ">NEW/S", ">SENT/S", ">RECEIVED/S", ">CONNECT", ">OK", "TOR", ">CIRCUITS");
        foreach (var worker in Workers)
        {
            table.Add(
                worker.Id, WorkerTable.State(worker.Now.Member("health") ?? default), worker.Connections,
                double.IsNaN(worker.Dials) ? "-" : worker.Dials.ToString("0.0", CultureInfo.InvariantCulture), Rate(worker.Sent),
                Rate(worker.Received), WorkerTable.Connect(worker.Now), WorkerTable.Success(worker.Now), WorkerTable.Tor(worker.Now),
                WorkerTable.Circuits(worker.Now));
        }

        return table;
    }

    private TextTable ConnectionRows()
    {
        var table = ConnectionCommands.Table();
        foreach (var connection in Connections)
            ConnectionCommands.AddTo(table, connection);
        return table;
    }

    private List<string> Table(TextStyle style, int width, bool hasCursor, TextTable table, int count)
    {
        var lines = table.Lines(style, width == 0 ? 0 : Math.Max(1, width - 2)).ToList();
        for (int i = 0; i < lines.Count; i++)
            lines[i] = (hasCursor && count > 0 && i == Selected + 1 ? "> " : "  ") + lines[i];
        return lines;
    }

    /// <summary>The head and as many rows as there is room for, with the selected one among them.</summary>
    private static IEnumerable<string> Window(List<string> lines, int room, int selected)
    {
        if (lines.Count <= room)
            return lines;
        int rows = Math.Max(1, room - 1);
        int first = Math.Clamp(selected - (rows / 2), 0, lines.Count - 1 - rows);
        return lines.Skip(1 + first).Take(rows).Prepend(lines[0]);
    }

    private static string Rate(double bytes) => double.IsNaN(bytes) ? "-" : Units.Bytes(bytes);
}
