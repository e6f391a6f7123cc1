namespace TorBalancer.Server;

/// <summary>A listener that accepts.</summary>
/// <param name="listener">The listener.</param>
/// <param name="loop">Ends when it does.</param>
/// <param name="stop">Ends it.</param>
internal sealed class RunningListener(ProxyListener listener, Task loop, CancellationTokenSource stop)
{
    private int _closed;

    public ProxyListener Listener => listener;

    public Task Loop => loop;

    public CancellationTokenSource Stop => stop;

    /// <summary>True for the one who is to close it.</summary>
    public bool TryClose() => Interlocked.Exchange(ref _closed, 1) == 0;
}

/// <summary>What becomes of the listeners when others are configured. A socket stays open while it is listened on as before.</summary>
/// <param name="Models">Those that are configured, in the order of the file.</param>
/// <param name="Kept">Sockets that stay, each with what it goes by from then on.</param>
/// <param name="New">Those that have to be bound.</param>
/// <param name="Gone">Those that close.</param>
internal sealed record ListenerChange(
    IReadOnlyList<ListenerModel> Models, IReadOnlyList<(RunningListener Listener, ListenerModel Model)> Kept,
    IReadOnlyList<ListenerModel> New, IReadOnlyList<RunningListener> Gone)
{
    /// <summary>Those of <see cref="New"/> that are bound and do not accept yet.</summary>
    public List<ProxyListener> Bound { get; } = [];

    public static ListenerChange Of(IReadOnlyList<ListenerModel> models, IReadOnlyList<RunningListener> running)
    {
        List<RunningListener> left = [.. running];
        var kept = new List<(RunningListener, ListenerModel)>();
        var added = new List<ListenerModel>();

        // Several may have port 0; then the name says which is which.
        foreach (var model in models.OrderByDescending(model => left.Exists(one => IsSame(one, model) && HasName(one, model))))
        {
            var same = left.Find(one => IsSame(one, model) && HasName(one, model)) ?? left.Find(one => IsSame(one, model));
            if (same is null)
            {
                added.Add(model);
                continue;
            }

            left.Remove(same);
            kept.Add((same, model));
        }

        return new ListenerChange(models, kept, added, left);
    }

    private static bool IsSame(RunningListener running, ListenerModel model)
    {
        var old = running.Listener.Model;
        return old.Address.Equals(model.Address) && old.SocketMode == model.SocketMode && old.IsDualStack == model.IsDualStack
            && old.TakesForeign == model.TakesForeign;
    }

    private static bool HasName(RunningListener running, ListenerModel model) => running.Listener.Model.Name == model.Name;
}
