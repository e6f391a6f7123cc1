using System.Net;
using System.Threading.Channels;
using TorBalancer.Daemon.Tor;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Support;

/// <summary>What a managed worker told the world.</summary>
internal sealed record WorkerCall(string Kind, string Id)
{
    public BootstrapStatus? Status { get; init; }

    public EndPoint? Socks { get; init; }

    public EndPoint? Control { get; init; }

    public string Text { get; init; } = "";
}

/// <summary>Keeps all calls in order, to be awaited.</summary>
internal sealed class RecordingWorkerSink : IManagedWorkerSink
{
    private readonly Channel<WorkerCall> _calls = Channel.CreateUnbounded<WorkerCall>();

    public void Starting(string id, BootstrapStatus status) => _calls.Writer.TryWrite(new WorkerCall("starting", id) { Status = status });

    public void Ready(string id, EndPoint? socks, EndPoint control, string cookiePath)
        => _calls.Writer.TryWrite(new WorkerCall("ready", id) { Socks = socks, Control = control, Text = cookiePath });

    public void Down(string id, string reason) => _calls.Writer.TryWrite(new WorkerCall("down", id) { Text = reason });

    /// <summary>Those that nobody has taken yet.</summary>
    public IReadOnlyList<WorkerCall> TakeAll()
    {
        var all = new List<WorkerCall>();
        while (_calls.Reader.TryRead(out var call))
            all.Add(call);
        return all;
    }

    public ValueTask<WorkerCall> NextAsync(CancellationToken token) => _calls.Reader.ReadAsync(token);
}
