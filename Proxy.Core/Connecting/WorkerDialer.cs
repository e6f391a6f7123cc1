using System.Buffers;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// One attempt: connects to a worker's SocksPort and speaks SOCKS5. Greeting, isolation token and request leave in one
/// write: only one method is offered, so there is nothing to wait for, and a far worker costs one round trip instead of
/// three; over a preconnected one it is the only one. A server that loses what comes behind its greeting is sent
/// one message at a time; see <see cref="SocksPipelining"/>.
/// </summary>
/// <param name="sockets">
/// Preconnected ones; null: none, as for probes, which ask whether the worker still accepts any.
/// </param>
/// <param name="pipelining">What is known of the workers; null: it finds out for itself.</param>
/// <param name="onions">Takes streams that tor has not answered yet; null: they are closed.</param>
internal sealed class WorkerDialer(
    ITransport transport, Live<ConnectOptions> options, TimeProvider time, PreconnectPool? sockets = null,
    SocksPipelining? pipelining = null,
    UnreadyOnionStreams? onions = null)
{
    private const string NothingListens = "nothing listens on the worker's SocksPort";

    private readonly SocksPipelining _pipelining =
        pipelining ?? new SocksPipelining(transport, workerTimeout: options.Select(static connect => connect.WorkerTimeout));

    /// <summary>What the attempt waits for; decides what running out of time means.</summary>
    private enum Stage
    {
        Connect,
        Greeting,
        Authentication,
        Reply,
        Answered,
    }

    /// <param name="timeout">The longest that this attempt may take.</param>
    /// <param name="cancellationToken">Cancelled when nobody waits for the result any more; throws then.</param>
    public ValueTask<DialResult> DialAsync(
        WorkerModel worker, ProxyCommand command, HostEndPoint target, IsolationToken token, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        if (!worker.IsTor && (target.IsOnion || command != ProxyCommand.Connect))
        {
            // An onion service's name would be asked of a name server, and RESOLVE is tor's own command.
            return ValueTask.FromResult(DialResult.Failed(
                FailureCause.AddressTypeNotSupported,
                target.IsOnion ? "this worker is not tor and reaches no onion service" : "this worker is not tor and has no RESOLVE"));
        }

        var question = new Question(worker, command, target, token, _pipelining.Of(worker));
        return question.ReadsOn is null
            ? AskStrangerAsync(question, timeout, cancellationToken)
            : AskAsync(question, timeout, cancellationToken);
    }

    private ValueTask<DialResult> AskAsync(Question question, TimeSpan timeout, CancellationToken cancellationToken) =>
        sockets?.TryTake(question.Worker) is { } ready
            ? AskOverPreconnectedAsync(ready, sockets, question, timeout, cancellationToken)
            : AskAsync(null, question, timeout, options.Value.WorkerTimeout, cancellationToken);

    /// <summary>
    /// The same attempt begins anew, one message at a time, when the worker has lost the request behind its greeting. Nothing of
    /// the client's was sent yet, so there is nothing that could arrive twice.
    /// </summary>
    private async ValueTask<DialResult> AskStrangerAsync(Question question, TimeSpan timeout, CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        var result = await AskAsync(question, timeout, cancellationToken);
        if (!ReferenceEquals(result, DialResult.RequestLost))
            return result;
        var left = timeout - time.GetElapsedTime(started);
        return left > TimeSpan.Zero
            ? await AskAsync(question with { ReadsOn = false }, left, cancellationToken)
            : DialResult.Failed(FailureCause.ConnectTimeout, "the time for connecting is over");
    }

    /// <summary>
    /// Asks the worker whether it reads on, when the answer to a request is late, and cancels the attempt when it does not.
    /// </summary>
    private async Task DoubtAsync(WorkerModel worker, CancellationTokenSource attempt, CancellationToken answered)
    {
        try
        {
            if (!await _pipelining.CheckLateAsync(worker, answered))
                await attempt.CancelAsync();
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>
    /// A preconnected connection may have died unseen, which says nothing of the worker as it is now: then the same
    /// attempt goes on with a new one, in the time that is left. One that stays silent gets half of the worker's time; the new one all
    /// of it, so that a worker that is only slow carries this connection too.
    /// </summary>
    private async ValueTask<DialResult> AskOverPreconnectedAsync(
        TransportConnection ready, PreconnectPool others, Question question, TimeSpan timeout, CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        var workerTimeout = options.Value.WorkerTimeout;
        var patience = timeout < workerTimeout ? timeout : workerTimeout;
        var result = await AskAsync(ready, question, timeout, patience / 2, cancellationToken);
        if (!ReferenceEquals(result, DialResult.Nothing))
            return result;
        await others.DropAsync(question.Worker);
        var lost = time.GetElapsedTime(started);
        return lost < timeout
            ? await AskAsync(null, question, timeout - lost, options.Value.WorkerTimeout, cancellationToken)
            : DialResult.Failed(FailureCause.ConnectTimeout, "the time for connecting is over");
    }

    /// <param name="ready">A connection on which nothing was sent; null: one is made.</param>
    /// <param name="workerTimeout">The longest that the worker may take to accept and to greet.</param>
    /// <returns>
    /// <see cref="DialResult.Nothing"/> when <paramref name="ready"/> was dead, <see cref="DialResult.RequestLost"/> when a worker of
    /// which nothing is known has answered its greeting only.
    /// </returns>
    private async ValueTask<DialResult> AskAsync(
        TransportConnection? ready, Question question, TimeSpan timeout, TimeSpan workerTimeout, CancellationToken cancellationToken)
    {
        var stage = Stage.Connect;
        var started = time.GetTimestamp();
        using var timer = new CancellationTokenSource(timeout < workerTimeout ? timeout : workerTimeout, time);
        using var stop = cancellationToken.UnsafeRegister(static timer => ((CancellationTokenSource)timer!).Cancel(), timer);
        var connection = ready;
        bool keep = false;
        bool isStranger = question.ReadsOn is null;
        bool isPatient = isStranger && workerTimeout > SocksPipelining.Patience && timeout > SocksPipelining.Patience;
        using var answered = isStranger ? CancellationTokenSource.CreateLinkedTokenSource(timer.Token) : null;
        Task? doubt = null;
        try
        {
            var way = question.Worker.RequestTo(question.Worker.SocksEndPoint);
            var opened = await OpenAsync(ready, way, question, timer.Token);
            if (opened.Connection is null)
            {
                return way.LocalInterface is null
                    ? FromSocketError(opened.Error)
                    : new DialResult(null, default, LinkFault.ToError(question.Worker.Link!, opened.Error, NothingListens));
            }

            connection = opened.Connection;
            if (ready is null)
                sockets?.Connected(question.Worker);

            stage = Stage.Greeting;
            var input = connection.Input;
            ParseStatus status;
            Pair pair;
            while (!MessageReader.TryTake(input, await input.ReadAsync(timer.Token), TryParsePair, out status, out pair))
            {
            }

            var error = CheckMethod(status, pair, question.Token, out bool authenticates);
            if (authenticates)
            {
                stage = Stage.Authentication;
                if (question.ReadsOn == false)
                    await SendAsync(connection, question, OpeningParts.Authentication, timer.Token);
                else if (isPatient)
                    timer.CancelAfter(SocksPipelining.Patience);
                while (!MessageReader.TryTake(input, await input.ReadAsync(timer.Token), TryParsePair, out status, out pair))
                {
                }

                error = CheckAuthentication(status, pair);
            }

            if (error.IsError)
                return ready is not null && error.Cause == FailureCause.WorkerClosed
                    ? DialResult.Nothing
                    : new DialResult(null, default, error);

            if (question.ReadsOn == false)
                await SendAsync(connection, question, OpeningParts.Request, timer.Token);

            // The worker itself is alive and has taken the request; from here on the network beyond it sets the pace.
            stage = Stage.Reply;
            var left = timeout - time.GetElapsedTime(started);
            timer.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            if (isStranger)
                doubt = DoubtAsync(question.Worker, timer, answered!.Token);
            Socks5Message reply;
            while (!MessageReader.TryTake(input, await input.ReadAsync(timer.Token), Socks5Parser.TryParseMessage, out status, out reply))
            {
            }

            stage = Stage.Answered;
            if (isStranger && status == ParseStatus.Done)
                _pipelining.Works(question.Worker);
            else if (isStranger && status == ParseStatus.Closed && await IsLostAsync(question.Worker, timer.Token))
                return DialResult.RequestLost;
            if (status == ParseStatus.Closed && !question.Worker.IsTor)
                return NoAnswer();
            var result = ToResult(connection, question.Command, status, reply);
            keep = result.Connection is not null;
            return result;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            if (stage == Stage.Authentication && isPatient)
            {
                _pipelining.Fails(question.Worker);
                return DialResult.RequestLost;
            }

            if (stage == Stage.Reply && isStranger && _pipelining.Of(question.Worker) == false)
                return DialResult.RequestLost;

            // A worker that was not given its own time has not failed: the client's was over.
            return stage switch
            {
                not Stage.Reply when ready is not null => DialResult.Nothing,
                not Stage.Reply when timeout < workerTimeout =>
                    DialResult.Failed(FailureCause.ConnectTimeout, "the time for connecting is over"),
                Stage.Connect => DialResult.Failed(FailureCause.WorkerTimeout, "the worker did not accept the connection in time"),
                Stage.Greeting or Stage.Authentication =>
                    DialResult.Failed(FailureCause.WorkerTimeout, "the worker accepted the connection and stayed silent"),
                _ => DialResult.Failed(FailureCause.ConnectTimeout, "no answer through the worker in time"),
            };
        }
        catch (IOException)
        {
            if (isStranger && stage == Stage.Reply && await IsLostAsync(question.Worker, timer.Token))
                return DialResult.RequestLost;
            if (stage == Stage.Reply && !question.Worker.IsTor)
                return NoAnswer();
            return stage != Stage.Reply && ready is not null
                ? DialResult.Nothing
                : DialResult.Failed(FailureCause.WorkerClosed, "the worker broke the connection before its answer");
        }
        finally
        {
            // Where all is sent at once, the request is there before the first answer is read.
            bool isSent = stage == Stage.Reply || (question.ReadsOn != false && stage is Stage.Greeting or Stage.Authentication);
            bool isUnanswered = isSent && timer.IsCancellationRequested;
            if (connection is not null && !keep && !(isUnanswered && onions?.TryKeep(question.Worker, question.Target, connection) == true))
                await connection.DisposeAsync();
            if (doubt is not null)
            {
                await answered!.CancelAsync();
                await doubt;
            }
        }
    }

    /// <summary>The worker greeted and broke off: because of what came behind the greeting, or for another reason.</summary>
    private async Task<bool> IsLostAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        try
        {
            return await _pipelining.CheckAsync(worker, cancellationToken) == false;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Sends the opening, or its first part, over a preconnected connection or with the connect of a new one.</summary>
    private async ValueTask<TransportConnectResult> OpenAsync(
        TransportConnection? ready, TransportConnectRequest way, Question question, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(WorkerOpening.MaxLength);
        try
        {
            int length = question.Write(buffer, question.ReadsOn == false ? OpeningParts.Greeting : OpeningParts.All);
            var opening = buffer.AsMemory(0, length);
            if (ready is null)
                return await transport.ConnectAsync(way with { Opening = opening }, cancellationToken);
            await ready.WriteAsync(opening, cancellationToken);
            return new TransportConnectResult(ready, SocketError.Success);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async ValueTask SendAsync(
        TransportConnection connection, Question question, OpeningParts parts, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(WorkerOpening.MaxLength);
        try
        {
            await connection.WriteAsync(buffer.AsMemory(0, question.Write(buffer, parts)), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// The worker's first answer. True in <paramref name="authenticates"/>: the answer to user and password is still to come.
    /// </summary>
    private static ProxyError CheckMethod(ParseStatus status, Pair pair, IsolationToken token, out bool authenticates)
    {
        authenticates = false;
        if (status != ParseStatus.Done)
            return Broken(status);

        // Measured on tor 0.4.9: when greeting and user/password arrive in one segment, the method reply (05 02) is never
        // sent and the first bytes are the authentication's answer (01 00). When they arrive apart, both are. The version
        // octet tells which of the two it is.
        if (!token.IsNone && pair.First == Socks5.AuthVersion)
            return CheckAuthentication(status, pair);
        if (pair.First != Socks5.Version)
            return new ProxyError(FailureCause.WorkerProtocol, "the worker does not speak SOCKS5");
        byte offered = token.IsNone ? Socks5.MethodNoAuth : Socks5.MethodUserPassword;
        if (pair.Second != offered)
            return new ProxyError(
                FailureCause.WorkerAuthRejected,
                token.IsNone ? "the worker wants a password" : "the worker takes no user/password, which isolation needs");
        authenticates = !token.IsNone;
        return default;
    }

    private static ProxyError CheckAuthentication(ParseStatus status, Pair pair)
    {
        if (status != ParseStatus.Done)
            return Broken(status);
        return pair.Second == 0 ? default : new ProxyError(FailureCause.WorkerAuthRejected, "the worker refused the isolation token");
    }

    private static DialResult ToResult(TransportConnection connection, ProxyCommand command, ParseStatus status, in Socks5Message reply)
    {
        if (status != ParseStatus.Done)
            return new DialResult(null, default, Broken(status));
        if (reply.Code != Socks5.ReplySucceeded)
            return new DialResult(
                null, default, new ProxyError(Socks5ReplyMapper.FromReply(reply.Code), $"tor answered 0x{reply.Code:X2}"));
        if (command == ProxyCommand.Connect)
        {
            // Where an unknown address type ends is unknown, and so is where the stream's first byte is.
            return reply.AddressStatus is Socks5AddressStatus.UnknownType or Socks5AddressStatus.Absent
                ? DialResult.Failed(FailureCause.WorkerProtocol, "the worker's success has no address")
                : new DialResult(connection, default, default);
        }

        // Whoever runs the reverse zone of an address writes there what they like; the worker is not to blame.
        return reply.AddressStatus switch
        {
            Socks5AddressStatus.Valid => new DialResult(null, reply.Address, default),
            Socks5AddressStatus.BadName => DialResult.Failed(FailureCause.HostUnreachable, "the address has a name that no host can have"),
            _ => DialResult.Failed(FailureCause.WorkerProtocol, "the worker's answer has no address"),
        };
    }

    /// <summary>ssh -D says like this that the target refuses or does not exist, so it must not be all the worker's fault.</summary>
    private static DialResult NoAnswer() =>
        DialResult.Failed(FailureCause.GeneralFailure, "the worker closed the connection instead of answering");

    private static ProxyError Broken(ParseStatus status) => status == ParseStatus.Closed
        ? new ProxyError(FailureCause.WorkerClosed, "the worker closed the connection before its answer")
        : new ProxyError(FailureCause.WorkerProtocol, "the worker does not speak SOCKS5");

    private static DialResult FromSocketError(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => DialResult.Failed(FailureCause.WorkerRefused, NothingListens),
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown or SocketError.NotConnected =>
            DialResult.Failed(FailureCause.WorkerClosed, "the worker broke the connection before its answer"),
        SocketError.TimedOut => DialResult.Failed(FailureCause.WorkerTimeout, "the worker did not accept the connection in time"),

        // A unix socket's queue is full (connect(2), EAGAIN): TCP would wait. It is there, and takes nothing new.
        SocketError.WouldBlock => DialResult.Failed(FailureCause.WorkerTimeout, "the worker's queue of connections is full"),

        // Ours, not the worker's: no other worker could be reached either, and none may be blamed.
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable =>
            DialResult.Failed(FailureCause.OutOfDescriptors, LinkFault.NothingLeft),
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

    /// <param name="ReadsOn">True: the worker reads what comes behind the greeting; false: one message at a time; null: not known.</param>
    private readonly record struct Question(
        WorkerModel Worker, ProxyCommand Command, HostEndPoint Target, IsolationToken Token, bool? ReadsOn)
    {
        public int Write(Span<byte> buffer, OpeningParts parts) => WorkerOpening.Write(buffer, parts, Command, Target, Token);
    }
}
