namespace TorBalancer.Transport.Linux;

/// <summary>
/// Whether a loop moves nothing but bulk data, and fast. It then sleeps a moment before it looks for events again: what has come
/// meanwhile goes in fewer and larger pieces, as network cards moderate their interrupts. Whoever waits for an answer shall not
/// pay for that: connects, accepts and everything that is copied, as short messages are, end it at once and for a while.
/// </summary>
internal struct BulkPace
{
    /// <summary>
    /// Half a gigabyte a second. A slower stream brings in such a moment no more than what would have come in one piece anyway.
    /// </summary>
    private const long LeastBytesPerMillisecond = 512 * 1024;

    private const long AWhile = 100;

    private long _spliced;
    private long _notBefore;
    private bool _others;

    /// <summary>Only bulk data moves.</summary>
    public bool OnlyBulk { get; private set; }

    public void Spliced(int bytes) => _spliced += bytes;

    /// <summary>Something else than bulk data has moved.</summary>
    public void Interrupt()
    {
        _others = true;
        OnlyBulk = false;
    }

    /// <summary>Once for each step of the loop's clock.</summary>
    /// <param name="now">The clock, in milliseconds.</param>
    /// <param name="elapsed">Milliseconds since the last step.</param>
    public void Advance(long now, long elapsed)
    {
        if (_others)
            _notBefore = now + AWhile;
        OnlyBulk = now >= _notBefore && _spliced >= LeastBytesPerMillisecond * elapsed;
        _spliced = 0;
        _others = false;
    }
}
