namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Finds the stream of a connection of ours: by our port, or by token and target where the worker listens on a unix
/// socket. A stream is still found for a while after its end, because tor may tell of it before our side is through. Not
/// for several threads.
/// </summary>
internal sealed class StreamJoin
{
    /// <summary>Ended streams that can still be found.</summary>
    internal const int MaxEnded = 512;

    private const string AnyTarget = "";

    private readonly Dictionary<int, StreamRecord> _byPort = [];
    private readonly Dictionary<(string Password, string Target), StreamRecord> _byToken = [];
    private readonly Queue<StreamRecord> _ended = new();

    public void Opened(StreamRecord stream)
    {
        if (stream.SourcePort is > 0 and var port)
            _byPort[port] = stream;
        if (stream.Password is not { } password)
            return;
        _byToken[(password, stream.Target.ToLowerInvariant())] = stream;
        _byToken[(password, AnyTarget)] = stream;
    }

    public void Ended(StreamRecord stream)
    {
        _ended.Enqueue(stream);
        if (_ended.Count > MaxEnded)
            Forget(_ended.Dequeue());
    }

    /// <param name="target">host:port in any letter case; null: the latest with that token.</param>
    public StreamRecord? Find(string? password, int? localPort, string? target)
    {
        // Ports are used again: the token keeps a stale entry from being taken for ours.
        if (localPort is > 0 and var port && _byPort.TryGetValue(port, out var found)
            && (password is null || found.Password is null || found.Password == password))
        {
            return found;
        }

        if (password is null || !_byToken.TryGetValue((password, target?.ToLowerInvariant() ?? AnyTarget), out found))
            return null;

        // With a port of ours only a stream whose port tor has not told can be it.
        return localPort is > 0 && found.SourcePort is not null ? null : found;
    }

    public void Clear()
    {
        _byPort.Clear();
        _byToken.Clear();
        _ended.Clear();
    }

    private void Forget(StreamRecord stream)
    {
        if (stream.SourcePort is { } port && _byPort.TryGetValue(port, out var last) && last == stream)
            _byPort.Remove(port);
        if (stream.Password is not { } password)
            return;
        foreach (string target in (ReadOnlySpan<string>)[stream.Target.ToLowerInvariant(), AnyTarget])
        {
            if (_byToken.TryGetValue((password, target), out last) && last == stream)
                _byToken.Remove((password, target));
        }
    }
}
