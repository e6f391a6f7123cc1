using System.Collections.Concurrent;
using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Support;

/// <summary>Notes what connections say of their workers: "succeeded", the word of a failure, or "ended".</summary>
internal sealed class RecordingOutcomes : IOutcomeSink
{
    private readonly ConcurrentQueue<string> _told = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<string> Told => [.. _told];

    /// <summary>How long the last success took.</summary>
    public TimeSpan LastElapsed { get; private set; }

    /// <summary>Completes when anything has been told.</summary>
    public Task First => _first.Task;

    public void DialSucceeded(WorkerState worker, TimeSpan elapsed)
    {
        LastElapsed = elapsed;
        Add("succeeded");
    }

    public void DialFailed(WorkerState worker, ProxyError error) => Add(error.Word);

    public void TunnelEnded(WorkerState worker, TunnelEnd end, bool answered) => Add(answered ? "ended" : "ended in silence");

    private void Add(string text)
    {
        _told.Enqueue(text);
        _first.TrySetResult();
    }
}
