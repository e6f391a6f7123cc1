using System.Buffers;
using System.Net.Sockets;
using TorBalancer.Configuration;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// One attempt: connects to a worker's SocksPort and speaks SOCKS5. Greeting, isolation token and request leave in one
/// write: only one method is offered, so there is nothing to wait for, and a far worker costs one round trip instead of
/// three.
/// </summary>
internal sealed class WorkerDialer(ITransport transport, ConnectOptions options, TimeProvider time)
{
    /// <summary>Greeting 3, user/password 3 + 9 + 32, request 262.</summary>
    private const int MaxOpeningLength = 3 + 3 + 9 + 32 + Socks5Writer.MaxMessageLength;

    private const string NothingListens = "nothing listens on the worker's SocksPort";

    /// <summary>What the attempt waits for; decides what running out of time means.</summary>
    private enum Stage
    {
        Connect,
        Greeting,
        Reply,
    }

    /// <param name="timeout">The longest that this attempt may take.</param>
    /// <param name="cancellationToken">Cancelled when nobody waits for the result any more; throws then.</param>
    public async ValueTask<DialResult> DialAsync(
        WorkerModel worker, ProxyCommand command, HostEndPoint target, IsolationToken token, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var stage = Stage.Connect;
        var started = time.GetTimestamp();
        var localTimeout = timeout < options.WorkerTimeout ? timeout : options.WorkerTimeout;
        using var timer = new CancellationTokenSource(localTimeout, time);
        using var stop = cancellationToken.UnsafeRegister(static timer => ((CancellationTokenSource)timer!).Cancel(), timer);
        TransportConnection? connection = null;
        bool keep = false;
        try
        {
            var way = worker.RequestTo(worker.SocksEndPoint);
            var connected = await OpenAsync(way, command, target, token, timer.Token);
            if (connected.Connection is null)
            {
                return way.LocalInterface is null
                    ? FromSocketError(connected.Error)
                    : new DialResult(null, default, LinkFault.ToError(worker.Link!, connected.Error, NothingListens));
            }

            connection = connected.Connection;

            stage = Stage.Greeting;
            var error = await ReadGreetingAsync(connection, token, timer.Token);
            if (error.IsError)
                return new DialResult(null, default, error);

            // The worker itself is alive and has taken the request; from here on the network beyond it sets the pace.
            stage = Stage.Reply;
            var left = timeout - time.GetElapsedTime(started);
            timer.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            var result = await ReadReplyAsync(connection, command, timer.Token);
            keep = result.Connection is not null;
            return result;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // A worker that was not given its own time has not failed: the client's was over.
            return stage switch
            {
                not Stage.Reply when timeout < options.WorkerTimeout => DialResult.Failed(FailureCause.ConnectTimeout, "the time for connecting is over"),
                Stage.Connect => DialResult.Failed(FailureCause.WorkerTimeout, "the worker did not accept the connection in time"),
                Stage.Greeting => DialResult.Failed(FailureCause.WorkerTimeout, "the worker accepted the connection and stayed silent"),
                _ => DialResult.Failed(FailureCause.ConnectTimeout, "no answer through the worker in time"),
            };
        }
        catch (IOException)
        {
            return DialResult.Failed(FailureCause.WorkerClosed, "the worker broke the connection before its answer");
        }
        finally
        {
            if (connection is not null && !keep)
                await connection.DisposeAsync();
        }
    }

    private async ValueTask<TransportConnectResult> OpenAsync(
        TransportConnectRequest way, ProxyCommand command, HostEndPoint target, IsolationToken token, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MaxOpeningLength);
        try
        {
            int length = WriteOpening(buffer, command, target, token);
            return await transport.ConnectAsync(way with { Opening = buffer.AsMemory(0, length) }, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static int WriteOpening(Span<byte> buffer, ProxyCommand command, HostEndPoint target, IsolationToken token)
    {
        buffer[0] = Socks5.Version;
        buffer[1] = 1;
        buffer[2] = token.IsNone ? Socks5.MethodNoAuth : Socks5.MethodUserPassword;
        int length = 3;
        if (!token.IsNone)
        {
            Span<byte> password = stackalloc byte[64];
            int passwordLength = token.CopyPasswordTo(password);
            length += Socks5Writer.WriteAuth(buffer[length..], IsolationToken.UserName, password[..passwordLength]);
        }

        byte code = command switch
        {
            ProxyCommand.Resolve => Socks5.CommandResolve,
            ProxyCommand.ResolvePtr => Socks5.CommandResolvePtr,
            _ => Socks5.CommandConnect,
        };
        return length + Socks5Writer.WriteMessage(buffer[length..], code, target);
    }

    private static async ValueTask<ProxyError> ReadGreetingAsync(TransportConnection connection, IsolationToken token, CancellationToken cancellationToken)
    {
        var (status, pair) = await MessageReader.ReadAsync<Pair>(connection.Input, TryParsePair, cancellationToken);
        if (status != ParseStatus.Done)
            return Broken(status);

        // Measured on tor 0.4.9: when greeting and user/password arrive in one segment, the method reply (05 02) is never
        // sent and the first bytes are the authentication's answer (01 00). When they arrive apart, both are. The version
        // octet tells which of the two it is.
        bool methodReplySkipped = !token.IsNone && pair.First == Socks5.AuthVersion;
        if (!methodReplySkipped)
        {
            if (pair.First != Socks5.Version)
                return new ProxyError(FailureCause.WorkerProtocol, "the worker does not speak SOCKS5");
            byte offered = token.IsNone ? Socks5.MethodNoAuth : Socks5.MethodUserPassword;
            if (pair.Second != offered)
                return new ProxyError(FailureCause.WorkerAuthRejected, token.IsNone ? "the worker wants a password" : "the worker takes no user/password, which isolation needs");
            if (token.IsNone)
                return default;
            (status, pair) = await MessageReader.ReadAsync<Pair>(connection.Input, TryParsePair, cancellationToken);
            if (status != ParseStatus.Done)
                return Broken(status);
        }

        return pair.Second == 0 ? default : new ProxyError(FailureCause.WorkerAuthRejected, "the worker refused the isolation token");
    }

    private static async ValueTask<DialResult> ReadReplyAsync(TransportConnection connection, ProxyCommand command, CancellationToken cancellationToken)
    {
        var (status, reply) = await MessageReader.ReadAsync<Socks5Message>(connection.Input, Socks5Parser.TryParseMessage, cancellationToken);
        if (status != ParseStatus.Done)
            return new DialResult(null, default, Broken(status));
        if (reply.Code != Socks5.ReplySucceeded)
            return new DialResult(null, default, new ProxyError(Socks5ReplyMapper.FromReply(reply.Code), $"tor answered 0x{reply.Code:X2}"));
        if (command == ProxyCommand.Connect)
        {
            // Where an unknown address type ends is unknown, and so is where the stream's first byte is.
            return reply.AddressStatus is Socks5AddressStatus.UnknownType or Socks5AddressStatus.Absent
                ? DialResult.Failed(FailureCause.WorkerProtocol, "the worker's success has no address")
                : new DialResult(connection, default, default);
        }

        return reply.AddressStatus == Socks5AddressStatus.Valid
            ? new DialResult(null, reply.Address, default)
            : DialResult.Failed(FailureCause.WorkerProtocol, "the worker's answer has no address");
    }

    private static ProxyError Broken(ParseStatus status) => status == ParseStatus.Closed
        ? new ProxyError(FailureCause.WorkerClosed, "the worker closed the connection before its answer")
        : new ProxyError(FailureCause.WorkerProtocol, "the worker does not speak SOCKS5");

    private static DialResult FromSocketError(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => DialResult.Failed(FailureCause.WorkerRefused, NothingListens),
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown or SocketError.NotConnected =>
            DialResult.Failed(FailureCause.WorkerClosed, "the worker broke the connection before its answer"),
        SocketError.TimedOut => DialResult.Failed(FailureCause.WorkerTimeout, "the worker did not accept the connection in time"),

        // Ours, not the worker's: no other worker could be reached either, and none may be blamed.
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable =>
            DialResult.Failed(FailureCause.InternalError, "no descriptors or buffers left; raise LimitNOFILE"),
        _ => DialResult.Failed(FailureCause.WorkerUnreachable, $"cannot connect to the worker: {error}"),
    };

    // | VER | METHOD | (RFC 1928, section 3) and | VER | STATUS | (RFC 1929, section 2)
    private static ParseStatus TryParsePair(ref SequenceReader<byte> reader, out Pair pair)
    {
        pair = default;
        if (!reader.TryRead(out byte first) || !reader.TryRead(out byte second))
            return ParseStatus.NeedMore;
        pair = new Pair(first, second);
        return ParseStatus.Done;
    }

    private readonly record struct Pair(byte First, byte Second);
}
