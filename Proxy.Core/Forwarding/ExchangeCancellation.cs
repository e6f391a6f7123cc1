namespace TorBalancer.Forwarding;

/// <summary>
/// Cancels the exchanges of one client connection, one after the other. They share a source as long as none was cancelled.
/// </summary>
internal sealed class ExchangeCancellation : IDisposable
{
    private CancellationTokenSource? _source;
    private CancellationToken _outer;

    /// <summary>One that nobody has cancelled, but for <paramref name="outer"/>, which cancels it as well.</summary>
    public CancellationTokenSource Get(CancellationToken outer)
    {
        if (_source is { IsCancellationRequested: false } && _outer == outer)
            return _source;
        _source?.Dispose();
        _outer = outer;
        return _source = CancellationTokenSource.CreateLinkedTokenSource(outer);
    }

    public void Dispose() => _source?.Dispose();
}
