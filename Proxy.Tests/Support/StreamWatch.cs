using TorBalancer.Testnet.Nodes;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Support;

/// <summary>How one stream went through a worker.</summary>
/// <param name="Circuit">The circuit that carried it; the set's id where two circuits carry it together (conflux).</param>
/// <param name="Password">The SOCKS password that tor was given; null: none.</param>
internal sealed record CarriedStream(string Circuit, string? Password);

/// <summary>Tells by a worker's control-port events which circuit each stream used.</summary>
internal sealed class StreamWatch : IAsyncDisposable
{
    private readonly ControlConnection _control;
    private readonly ControlSubscription _events;

    private StreamWatch(ControlConnection control)
    {
        _control = control;
        _events = control.Subscribe(4096);
    }

    public static async Task<StreamWatch> StartAsync(TestNode worker, CancellationToken token)
    {
        var watch = new StreamWatch(await WorkerControl.ConnectAsync(worker, token));
        await watch._control.SetEventsAsync(["STREAM"], token);
        return watch;
    }

    /// <summary>Waits for the next stream to that target to be open, and says how it went.</summary>
    /// <param name="target">host:port as the client asked for it.</param>
    public async Task<CarriedStream> NextAsync(string target, CancellationToken token)
    {
        string? id = null, password = null;
        while (true)
        {
            if (await _events.Events.ReadAsync(token) is not StreamEvent { Stream: var stream })
                continue;
            if (stream.Status == StreamStatus.New && stream.Target == target)
                (id, password) = (stream.Id, stream.SocksPassword);
            else if (stream.Status == StreamStatus.Succeeded && stream.Id == id && stream.CircuitId is { } circuit)
                return new CarriedStream(await SetOfAsync(circuit, token), password);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _events.Dispose();
        await _control.DisposeAsync();
    }

    private async Task<string> SetOfAsync(string circuit, CancellationToken token)
    {
        foreach (string line in await _control.GetInfoLinesAsync("circuit-status", token))
        {
            if (CircuitInfo.TryParse(line) is { } info && info.Id == circuit)
                return info.ConfluxId ?? circuit;
        }

        return circuit;
    }
}
