using System.Net.Sockets;

namespace TorBalancer.Transport;

/// <summary>How relaying bytes from one connection to another ended.</summary>
internal enum RelayEnd : byte
{
    /// <summary>All of them were given.</summary>
    Complete,

    /// <summary>The source finished (FIN) before.</summary>
    SourceClosed,

    /// <summary>The source was reset or broke.</summary>
    SourceBroken,

    /// <summary>The sink takes no more.</summary>
    SinkBroken,
}

/// <param name="End">How it ended.</param>
/// <param name="Error">What broke the source or the sink; Success when neither did.</param>
internal readonly record struct RelayResult(RelayEnd End, SocketError Error = SocketError.Success);

/// <summary>Told of bytes while they are relayed.</summary>
internal interface IRelayMeter
{
    /// <summary>So many were taken from the source; before any of them is given.</summary>
    void Taken(int bytes);

    /// <summary>What the bytes wait for; null: nothing limits them.</summary>
    BandwidthPace? Pace => null;

    /// <summary>So many were given to the sink, of what was taken or of what goes before it.</summary>
    void Given(int bytes);
}

/// <summary>A reader whose connection's bytes can go to another connection without entering this process.</summary>
internal interface IRelaySource
{
    /// <summary>
    /// Begins to move exactly so many bytes, which come behind everything that was read. Nobody reads the source and nobody writes to
    /// the sink meanwhile; the other ways of both are free. A relay that is cancelled throws <see cref="OperationCanceledException"/>,
    /// and bytes may be lost.
    /// </summary>
    /// <param name="sink">Where to.</param>
    /// <param name="first">
    /// What the sink gets before: at once, and together with what is there of the rest.
    /// Of <see cref="System.Buffers.ArrayPool{T}.Shared"/>, and the relay's to give back once this has returned true; default: nothing.
    /// </param>
    /// <param name="bytes">How many, at least one.</param>
    /// <param name="meter">Told of them, and of what is given of <paramref name="first"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="relay">How it ended, when it has.</param>
    /// <returns>
    /// False: they must be copied. Bytes are buffered or a read was cancelled, the two are of different loops, or this is another thread.
    /// </returns>
    bool TryRelay(
        TransportConnection sink, ArraySegment<byte> first, long bytes, IRelayMeter meter, CancellationToken cancellationToken,
        out ValueTask<RelayResult> relay);
}
