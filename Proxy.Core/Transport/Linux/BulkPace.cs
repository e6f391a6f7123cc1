namespace TorBalancer.Transport.Linux;

/// <summary>
/// Whether a loop moves nothing but bulk data, and fast. It then sleeps a moment before it looks for events again: what has come
/// meanwhile goes in fewer and larger pieces, as network cards moderate their interrupts. Somebody who waits for an answer
/// never pays for that: anything that is copied, which every short message is, ends it at once.
/// </summary>
internal struct BulkPace
{
    /// <summary>
    /// Half a gigabyte a second. A slower stream brings in such a moment no more than what would have come in one piece anyway.
    /// </summary>
    private const long LeastBytesPerMillisecond = 512 * 1024;

    private long _spliced;
    private bool _copied;

    /// <summary>Only bulk data moves.</summary>
    public bool OnlyBulk { get; private set; }

    public void Spliced(int bytes) => _spliced += bytes;

    public void Copied()
    {
        _copied = true;
        OnlyBulk = false;
    }

    /// <summary>Once for each step of the loop's clock.</summary>
    public void Advance(long milliseconds)
    {
        OnlyBulk = !_copied && _spliced >= LeastBytesPerMillisecond * milliseconds;
        _spliced = 0;
        _copied = false;
    }
}
