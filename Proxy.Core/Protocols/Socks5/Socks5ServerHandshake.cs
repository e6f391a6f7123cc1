using System.Buffers;
using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Protocols.Socks5;

/// <summary>SOCKS5 towards a client: RFC 1928, RFC 1929 and tor's RESOLVE commands.</summary>
internal sealed class Socks5ServerHandshake(
    TransportConnection client, IClientAuthenticator authenticator, bool extendedErrors) : IClientHandshake
{
    private static readonly byte[] ChooseNoAuth = [Socks5.Version, Socks5.MethodNoAuth];
    private static readonly byte[] ChooseUserPassword = [Socks5.Version, Socks5.MethodUserPassword];
    private static readonly byte[] ChooseNone = [Socks5.Version, Socks5.MethodNoneAcceptable];
    private static readonly byte[] AuthOk = [Socks5.AuthVersion, 0x00];
    private static readonly byte[] AuthFailed = [Socks5.AuthVersion, 0x01];

    private static readonly byte[] Connected = Socks5Writer.Reply(Socks5.ReplySucceeded);

    /// <summary>True once the client waits for a reply frame; before that a failure has no frame, only an end.</summary>
    private bool _replyExpected;

    public async ValueTask<HandshakeResult> ReadRequestAsync(CancellationToken cancellationToken)
    {
        // One method for all of it: see MessageReader.TryTake.
        var input = client.Input;
        ParseStatus status;
        Socks5Greeting greeting;
        while (
            !MessageReader.TryTake(
                input, await input.ReadAsync(cancellationToken), Socks5Parser.TryParseGreeting, out status, out greeting))
        {
        }

        if (status != ParseStatus.Done)
            return Broken(status, "no SOCKS5 greeting");

        // User/password wins when both are offered: it carries the isolation that the client wants.
        ClientCredentials? credentials = null;
        if (greeting.OffersUserPassword)
        {
            await client.WriteAsync(ChooseUserPassword, cancellationToken);
            while (
                !MessageReader.TryTake(
                    input, await input.ReadAsync(cancellationToken), Socks5Parser.TryParseAuth, out status, out credentials))
            {
            }

            if (status != ParseStatus.Done)
                return Broken(status, "no user name and password (RFC 1929)");
            if (await CheckAsync(credentials, cancellationToken) is { IsError: true } wrong)
                return wrong;
        }
        else if (greeting.OffersNoAuth && !authenticator.RequiresCredentials)
        {
            if (!authenticator.TryCheck(null, out var refused) || refused.IsError)
            {
                await client.WriteAsync(ChooseNone, cancellationToken);
                return refused;
            }

            await client.WriteAsync(ChooseNoAuth, cancellationToken);

            // tor takes a user and password from clients that were told not to send one (its socks-extensions, section 1).
            while (!MessageReader.TryTake(input, await input.ReadAsync(cancellationToken), TryParseLateAuth, out status, out credentials))
            {
            }

            if (status != ParseStatus.Done)
                return Broken(status, "no SOCKS5 request");
            if (credentials is not null && await CheckAsync(credentials, cancellationToken) is { IsError: true } wrong)
                return wrong;
        }
        else
        {
            await client.WriteAsync(ChooseNone, cancellationToken);
            return new ProxyError(
                authenticator.RequiresCredentials ? FailureCause.AuthRequired : FailureCause.BadRequest,
                authenticator.RequiresCredentials
                    ? "the client offered no user/password method"
                    : "the client offered neither no-auth nor user/password");
        }

        Socks5Message message;
        while (
            !MessageReader.TryTake(input, await input.ReadAsync(cancellationToken), Socks5Parser.TryParseMessage, out status, out message))
        {
        }

        if (status != ParseStatus.Done)
            return Broken(status, "no SOCKS5 request");
        _replyExpected = true;
        return ToRequest(message, credentials);
    }

    public ValueTask ReplyConnectedAsync(CancellationToken cancellationToken) => client.WriteAsync(Connected, cancellationToken);

    public ValueTask ReplyResolvedAsync(HostEndPoint answer, CancellationToken cancellationToken)
    {
        var frame = new byte[Socks5Writer.MaxMessageLength];
        int length = Socks5Writer.WriteMessage(frame, Socks5.ReplySucceeded, answer);
        return client.WriteAsync(frame.AsMemory(0, length), cancellationToken);
    }

    public ValueTask ReplyErrorAsync(ProxyError error, ReplyInfo info, CancellationToken cancellationToken) =>
        _replyExpected
            ? client.WriteAsync(Socks5Writer.Reply(Socks5ReplyMapper.ToReply(error.Cause, extendedErrors)), cancellationToken)
            : ValueTask.CompletedTask;

    /// <summary>Answers the client's user and password.</summary>
    private async ValueTask<ProxyError> CheckAsync(ClientCredentials? credentials, CancellationToken cancellationToken)
    {
        if (!authenticator.TryCheck(credentials, out var refused))
            refused = await authenticator.CheckAsync(credentials!, cancellationToken);
        await client.WriteAsync(refused.IsError ? AuthFailed : AuthOk, cancellationToken);
        return refused;
    }

    /// <summary>
    /// A message of RFC 1929 where a request may stand as well; takes nothing, and says null, when it is no such message.
    /// </summary>
    private static ParseStatus TryParseLateAuth(ref SequenceReader<byte> reader, out ClientCredentials? credentials)
    {
        credentials = null;
        if (!reader.TryPeek(out byte version))
            return ParseStatus.NeedMore;
        return version == Socks5.AuthVersion ? Socks5Parser.TryParseAuth(ref reader, out credentials) : ParseStatus.Done;
    }

    private static HandshakeResult ToRequest(in Socks5Message message, ClientCredentials? credentials)
    {
        ProxyCommand command;
        switch (message.Code)
        {
            case Socks5.CommandConnect:
                command = ProxyCommand.Connect;
                break;
            case Socks5.CommandResolve:
                command = ProxyCommand.Resolve;
                break;
            case Socks5.CommandResolvePtr:
                command = ProxyCommand.ResolvePtr;
                break;
            default:
                return new ProxyError(FailureCause.UnsupportedCommand, CommandText(message.Code));
        }

        return message.AddressStatus switch
        {
            Socks5AddressStatus.UnknownType or Socks5AddressStatus.Absent =>
                new ProxyError(FailureCause.UnsupportedAddress, "address type is none of 01, 03, 04"),
            Socks5AddressStatus.BadName => new ProxyError(FailureCause.BadRequest, message.Problem),
            _ when command == ProxyCommand.Connect && message.Address.Port == 0 =>
                new ProxyError(FailureCause.BadRequest, "port 0 cannot be connected to"),
            _ when command == ProxyCommand.ResolvePtr && message.Address.Address is null =>
                new ProxyError(FailureCause.UnsupportedAddress, "RESOLVE_PTR takes an address"),
            _ => new ProxyRequest(ClientProtocol.Socks5, command, message.Address, credentials),
        };
    }

    private static string CommandText(byte code) => code switch
    {
        Socks5.CommandBind => "BIND is not supported by tor",
        Socks5.CommandUdpAssociate => "UDP ASSOCIATE is not supported by tor",
        _ => $"unknown command 0x{code:X2}",
    };

    private static ProxyError Broken(ParseStatus status, string what) =>
        status == ParseStatus.Closed ? new ProxyError(FailureCause.ClientClosed) : new ProxyError(FailureCause.BadRequest, what);
}
