namespace TorBalancer.Transport;

/// <summary>
/// Clients that have sent FIN behind their request and have no answer yet. Such a one may well wait for its answer (RFC 9293,
/// section 3.6), or be gone: a socket that was closed answers every question for as long as tcp_fin_timeout (tcp(7)), so nothing
/// tells the two apart. While others wait for descriptors, the one that has waited longest is ended for each of those.
/// </summary>
internal sealed class FinishedClients
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = [];

    /// <summary>Clients that could be ended.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _waiting.Count;
        }
    }

    /// <summary>Adds one; whoever does removes it.</summary>
    /// <returns>Its task ends when the client is to give up its place.</returns>
    public LinkedListNode<TaskCompletionSource> Add()
    {
        var node = new LinkedListNode<TaskCompletionSource>(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_lock)
            _waiting.AddLast(node);
        return node;
    }

    /// <summary>No effect on one that was ended.</summary>
    public void Remove(LinkedListNode<TaskCompletionSource> node)
    {
        lock (_lock)
        {
            if (node.List is not null)
                _waiting.Remove(node);
        }
    }

    /// <summary>Tells the one that was added first. False: there is none.</summary>
    public bool EndOldest()
    {
        LinkedListNode<TaskCompletionSource>? oldest;
        lock (_lock)
        {
            oldest = _waiting.First;
            if (oldest is null)
                return false;
            _waiting.RemoveFirst();
        }

        oldest.Value.TrySetResult();
        return true;
    }
}
