namespace TorBalancer.Transport.Linux;

/// <summary>Who besides reads, writes and a tunnel hears of a connection's events. Most connections have nobody.</summary>
internal sealed class ConnectionHooks
{
    /// <summary>A relay that takes from the connection.</summary>
    public ILoopWork? Taker { get; set; }

    /// <summary>A relay that gives to it.</summary>
    public ILoopWork? Giver { get; set; }

    public IPeerObserver? Observer { get; set; }

    /// <summary>What a message was refused with that was held back: an error number, or 0. Its writer had gone on.</summary>
    public int Refusal { get; set; }
}
