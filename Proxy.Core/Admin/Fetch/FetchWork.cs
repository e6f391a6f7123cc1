namespace TorBalancer.Admin.Fetch;

/// <summary>
/// Cuts long computing into slices. What is there already is decoded without ever waiting for anything: a few bytes from the network
/// can be work for minutes, and the process has few threads. So behind each slice everybody else has their turn, and it is looked
/// whether somebody still wants the result. Used by one thread at a time.
/// </summary>
internal struct FetchWork
{
    /// <summary>Bytes. A millisecond or two at the slowest that decoders go.</summary>
    public const int Slice = 64 * 1024;

    private int _done;

    /// <summary>Counts bytes that were worked on; true when a slice is full and <see cref="YieldAsync"/> is due.</summary>
    public bool Count(int bytes)
    {
        _done += bytes;
        if (_done < Slice)
            return false;
        _done = 0;
        return true;
    }

    /// <summary>Lets others go first.</summary>
    public static async ValueTask YieldAsync(CancellationToken cancellationToken)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
    }
}
