using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;

namespace TorBalancer.Transport.Tls;

/// <summary>
/// A client's connection that carries TLS, of which we are the server: what is read and written is what is inside. Addresses, delivery
/// and the ways to end it are those of the connection that it is made of.
/// </summary>
/// <remarks>
/// A FIN of ours is close_notify (RFC 8446, section 6.1) with a FIN behind it. Of a client either counts as its end: many send the second
/// alone. A connection that ends within a record is broken.
/// </remarks>
internal sealed class TlsConnection : TransportConnection
{
    /// <summary>
    /// How long closing waits until close_notify could be given to the kernel; whoever closes in order has awaited
    /// <see cref="WrittenAsync"/> before.
    /// </summary>
    private static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    // As a socket's: a zero-byte read waits before a buffer is rented, so a silent client costs none.
    private static readonly StreamPipeReaderOptions ReaderOptions =
        new(bufferSize: 4096, minimumReadSize: 512, leaveOpen: true, useZeroByteReads: true);

    private readonly TransportConnection _outer;
    private PipeReader? _input;
    private Task _farewell = Task.CompletedTask;
    private bool _writes, _finishesAfterWrite;
    private int _finished, _closed;
    private volatile bool _aborted;

    private TlsConnection(TransportConnection outer, SslStream stream) => (_outer, Plain) = (outer, stream);

    /// <summary>What is inside; for a tunnel, which reads it without a reader in between.</summary>
    public SslStream Plain { get; }

    /// <summary>
    /// The server's side of the handshake; continues on the connection's own thread. Its computing is done on the thread pool, because a
    /// private key's operation takes as long as hundreds of small reads. Throws <see cref="AuthenticationException"/> when the two do not
    /// agree, <see cref="IOException"/> when the client goes; the connection is the caller's still.
    /// </summary>
    public static async ValueTask<TlsConnection> AcceptAsync(
        TransportConnection outer, SslServerAuthenticationOptions options, CancellationToken cancellationToken)
    {
        var stream = new SslStream(new TransportConnectionStream(outer, new TunnelCounters()), leaveInnerStreamOpen: true);
        try
        {
            await Task.Run(() => stream.AuthenticateAsServerAsync(options, cancellationToken), CancellationToken.None);
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
        finally
        {
            await new Turn(outer);
        }

        return new TlsConnection(outer, stream);
    }

    public override EndPoint? LocalEndPoint => _outer.LocalEndPoint;

    public override IPAddress? RemoteAddress => _outer.RemoteAddress;

    public override PipeReader Input => _input ??= PipeReader.Create(Plain, ReaderOptions);

    internal override Delivery? Delivery => _outer.Delivery;

    internal override bool IsBroken => _outer.IsBroken;

    /// <summary>What the reader has buffered, if a reader was ever made.</summary>
    public bool TryTakeBuffered(out ReadResult result)
    {
        result = default;
        if (_input is null)
            return false;

        // What was examined and not consumed is not offered again until more comes, unless the read is cancelled.
        _input.CancelPendingRead();
        return _input.TryRead(out result) && !result.Buffer.IsEmpty;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default)
    {
        _writes = true;
        try
        {
            await Plain.WriteAsync(data, cancellationToken);
        }
        finally
        {
            _writes = false;
        }

        if (_finishesAfterWrite)
            _farewell = FinishAsync();
    }

    /// <summary>
    /// Behind <see cref="ShutdownSend"/>: until close_notify has left, for which a slow client may have to take something.
    /// </summary>
    internal override ValueTask WrittenAsync(CancellationToken cancellationToken) => new(_farewell.WaitAsync(cancellationToken));

    /// <summary>Never: it is a client's.</summary>
    public override bool TryClaim() => false;

    public override void Schedule(IThreadPoolWorkItem work) => _outer.Schedule(work);

    internal override bool IsOnOwnThread => _outer.IsOnOwnThread;

    internal override void Defer(IThreadPoolWorkItem work) => _outer.Defer(work);

    internal override void ProbePeer() => _outer.ProbePeer();

    public override void ShutdownSend()
    {
        if (Interlocked.Exchange(ref _finished, 1) != 0)
            return;
        if (_writes)
            _finishesAfterWrite = true;
        else
            _farewell = FinishAsync();
    }

    public override void Abort()
    {
        _aborted = true;
        _outer.Abort();
    }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
            return;
        if (!_aborted)
        {
            ShutdownSend();
            if (!_farewell.IsCompleted)
                await _farewell.WaitAsync(FarewellTime).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await _outer.DisposeAsync();
        if (_input is not null)
            await _input.CompleteAsync();
        await Plain.DisposeAsync();
    }

    private async Task FinishAsync()
    {
        try
        {
            await Plain.ShutdownAsync();
        }
        catch (Exception failure) when (failure is IOException or InvalidOperationException or AuthenticationException)
        {
            // It is broken, or a write that was cancelled has left it so: the FIN alone says what there is to say.
        }

        _outer.ShutdownSend();
    }
}
