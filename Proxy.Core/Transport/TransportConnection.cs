using System.IO.Pipelines;
using System.Net;

namespace TorBalancer.Transport;

/// <summary>
/// One byte stream, of either engine. One reader and one writer at a time; both may run side by side. Input/output
/// errors surface as <see cref="IOException"/> (with a <see cref="System.Net.Sockets.SocketException"/> inside).
/// </summary>
public abstract class TransportConnection : IAsyncDisposable
{
    /// <summary>Our own address of this connection; null where there is none (unix sockets).</summary>
    public abstract EndPoint? LocalEndPoint { get; }

    /// <summary>The peer's address; null where there is none (unix sockets).</summary>
    public abstract IPAddress? RemoteAddress { get; }

    /// <summary>
    /// Where an accepted connection was going before the kernel's NAT turned it to us (netfilter's SO_ORIGINAL_DST), IPv4 never mapped.
    /// Null: the kernel does not know of such a connection, or keeps no record of any.
    /// </summary>
    internal virtual IPEndPoint? OriginalDestination => null;

    /// <summary>
    /// A reader that pulls: it reads from the socket only while ReadAsync runs, so what it has buffered is exactly
    /// what was not consumed. What is left in it when a tunnel starts is forwarded first.
    /// </summary>
    public abstract PipeReader Input { get; }

    /// <summary>Writes all of it.</summary>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default);

    /// <summary>
    /// Takes a short message that is written together with those of other connections, as soon as what has come in together is dealt with:
    /// a peer that serves several of them is woken once for all. That it cannot be written is told as if the peer had reset the connection
    /// right behind it: by the next read or write.
    /// </summary>
    /// <returns>False, and nothing is done: it has to be written by itself.</returns>
    internal virtual bool TryWriteSoon(ReadOnlySpan<byte> message) => false;

    /// <summary>
    /// Waits until the kernel has taken all of what <see cref="TryWriteSoon"/> took, and what goes in front of a FIN: before closing in
    /// order.
    /// </summary>
    internal virtual ValueTask WrittenAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>
    /// For a preconnected connection, on which nothing was read or written yet: false when the peer has closed it or
    /// has sent something unasked. Called on a thread of the engine's it moves there, where what follows is cheapest.
    /// </summary>
    public abstract bool TryClaim();

    /// <summary>
    /// Begins what serves this connection where its reads and writes are cheapest: on its own thread, or on the pool. It must
    /// not wait otherwise than by awaiting.
    /// </summary>
    public abstract void Schedule(IThreadPoolWorkItem work);

    /// <summary>Runs it on the connection's own thread, or on the pool; never at once: it comes after what that thread is doing.</summary>
    internal virtual void Defer(IThreadPoolWorkItem work) => ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: false);

    /// <summary>
    /// False on another thread than the connection's own, where each read and write goes there and back. Where connections have no thread
    /// of their own all are alike.
    /// </summary>
    internal virtual bool IsOnOwnThread => true;

    /// <summary>What became of what was written; null where the kernel does not say.</summary>
    internal virtual Delivery? Delivery => null;

    /// <summary>
    /// True when it is known that the peer is gone: it reset the connection, or does not answer any more. False says little: of a
    /// peer that has sent FIN and left, the kernel hears only when something is sent to it.
    /// </summary>
    internal virtual bool IsBroken => false;

    /// <summary>
    /// For a peer that has sent FIN and is waited for: asks its kernel from time to time whether it still knows the connection
    /// (TCP keep-alive, RFC 9293, section 3.8.4). One that has left is then found out by <see cref="IsBroken"/> when its kernel has
    /// forgotten it, on Linux a minute later (tcp_fin_timeout).
    /// </summary>
    internal virtual void ProbePeer()
    {
    }

    /// <summary>
    /// Has an observer told of the next thing that comes from the peer, without a read that would have to be cancelled. Nobody reads
    /// meanwhile, until <see cref="TryStopObserving"/>.
    /// </summary>
    /// <param name="observer">Told once or more often, never from within this call.</param>
    /// <param name="whenQuiet">Only if nothing has come yet that was not read; otherwise, only if the peer has not hung up yet.</param>
    /// <returns>
    /// False where a read has to find out: something has come, this is not the connection's thread, the engine has no events.
    /// </returns>
    internal virtual bool TryObserve(IPeerObserver observer, bool whenQuiet) => false;

    /// <summary>
    /// Ends <see cref="TryObserve"/>, also when nothing was told. False, and nothing is done: this is not the connection's thread.
    /// </summary>
    internal virtual bool TryStopObserving() => true;

    /// <summary>Sends FIN: nothing more will be written, reading goes on.</summary>
    public abstract void ShutdownSend();

    /// <summary>Ends the connection with RST: the peer learns that it was cut, not finished.</summary>
    public abstract void Abort();

    /// <summary>Closes. What was written is still delivered by the kernel.</summary>
    public abstract ValueTask DisposeAsync();
}
