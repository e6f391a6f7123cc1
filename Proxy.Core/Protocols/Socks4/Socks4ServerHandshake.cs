using System.Net.Sockets;
using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Protocols.Socks4;

/// <summary>SOCKS4 and 4a towards a client, with tor's RESOLVE (command F0).</summary>
internal sealed class Socks4ServerHandshake(TransportConnection client, IClientAuthenticator authenticator) : IClientHandshake
{
    private const byte CommandConnect = 0x01, CommandResolve = 0xF0;

    private bool _replyExpected;

    public async ValueTask<HandshakeResult> ReadRequestAsync(CancellationToken cancellationToken)
    {
        var (status, request) = await MessageReader.ReadAsync<Socks4Request>(client.Input, Socks4Parser.TryParseRequest, cancellationToken);
        if (status == ParseStatus.Closed)
            return new ProxyError(FailureCause.ClientClosed);
        _replyExpected = true;
        if (status != ParseStatus.Done)
            return new ProxyError(FailureCause.BadRequest, "no SOCKS4 request");

        // SOCKS4 has no password; an empty user id is what clients send that have nothing to say.
        var credentials = request.UserId.Length == 0 ? null : new ClientCredentials(request.UserId, "");
        if (!authenticator.TryCheck(credentials, out var refused))
            return new ProxyError(FailureCause.AuthFailed);
        if (refused.IsError)
            return refused;
        if (request.Command is not (CommandConnect or CommandResolve))
            return new ProxyError(
                FailureCause.UnsupportedCommand,
                request.Command == 2 ? "BIND is not supported by tor" : $"unknown command 0x{request.Command:X2}");
        if (request.Target is not { } target)
            return new ProxyError(FailureCause.BadRequest, request.Problem);
        if (request.Command == CommandConnect && target.Port == 0)
            return new ProxyError(FailureCause.BadRequest, "port 0 cannot be connected to");
        return new ProxyRequest(
            request.IsSocks4a ? ClientProtocol.Socks4a : ClientProtocol.Socks4,
            request.Command == CommandConnect ? ProxyCommand.Connect : ProxyCommand.Resolve,
            target,
            credentials);
    }

    public ValueTask ReplyConnectedAsync(CancellationToken cancellationToken) =>
        client.WriteAsync(Frame(Socks4ReplyMapper.Granted), cancellationToken);

    public ValueTask ReplyResolvedAsync(HostEndPoint answer, CancellationToken cancellationToken)
    {
        // The frame has room for IPv4 only.
        if (answer.Address is not { AddressFamily: AddressFamily.InterNetwork } address)
            return client.WriteAsync(Frame(Socks4ReplyMapper.Rejected), cancellationToken);
        var frame = Frame(Socks4ReplyMapper.Granted);
        address.TryWriteBytes(frame.AsSpan(4), out _);
        return client.WriteAsync(frame, cancellationToken);
    }

    public ValueTask ReplyErrorAsync(ProxyError error, ReplyInfo info, CancellationToken cancellationToken) =>
        _replyExpected ? client.WriteAsync(Frame(Socks4ReplyMapper.ToReply(error.Cause)), cancellationToken) : ValueTask.CompletedTask;

    // | VN = 0 | CD | DSTPORT (2) | DSTIP (4) |
    private static byte[] Frame(byte code) => [0, code, 0, 0, 0, 0, 0, 0];
}
