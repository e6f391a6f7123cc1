using System.Buffers;
using System.Text;
using TorBalancer.Balancing;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks4;
using TorBalancer.Protocols.Socks5;

namespace TorBalancer.Fuzz.Targets;

/// <summary>What a client of SOCKS5, SOCKS4 or SOCKS4a sends, through the whole handshake.</summary>
internal static class SocksClientTarget
{
    public static void Check(byte[] input)
    {
        foreach (bool required in (ReadOnlySpan<bool>)[false, true])
        {
            var whole = Read(input, Pieces.Whole(input), required);
            Expect.Same(whole, Read(input, Pieces.Of(input), required), "a request is the same however it arrives");
            if (whole.Result.Request is { } request)
                CheckTarget(request.Target);
        }
    }

    /// <summary>What goes to a worker is what the client asked for.</summary>
    public static void CheckTarget(HostEndPoint target)
    {
        byte[] frame = new byte[Socks5Writer.MaxMessageLength];
        int length = Socks5Writer.WriteMessage(frame, Socks5.CommandConnect, target);
        var reader = new SequenceReader<byte>(new ReadOnlySequence<byte>(frame, 0, length));
        Expect.Same(Socks5Parser.TryParseMessage(ref reader, out var message), ParseStatus.Done, "a written request can be read");
        Expect.Same(message.Address, target, "a request to a worker names the client's target");
        Expect.Same(reader.Consumed, length, "a written request is read to its end");
    }

    private static Outcome Read(byte[] input, int[] ends, bool required)
    {
        var client = new ScriptedConnection(input, ends);
        var authenticator = new Authenticator(required);
        IClientHandshake handshake = input is [Socks4Parser.Version, ..]
            ? new Socks4ServerHandshake(client, authenticator)
            : new Socks5ServerHandshake(client, authenticator, extendedErrors: true);
        var result = Expect.AtOnce(handshake.ReadRequestAsync(default));
        int taken = result.Request is null ? 0 : client.Script.Consumed;
        return new Outcome(result, Encoding.Latin1.GetString(client.Written), taken);
    }

    /// <param name="Taken">Bytes; 0 for no request, after which the connection ends.</param>
    private readonly record struct Outcome(HandshakeResult Result, string Written, int Taken);

    /// <summary>Takes every password that is not empty, and reads the parameters.</summary>
    private sealed class Authenticator(bool required) : IClientAuthenticator
    {
        private static readonly UserParametersParser Parser = new(SelectionPolicyNames.All);

        public bool RequiresCredentials => required;

        public bool TryCheck(ClientCredentials? credentials, out ProxyError error)
        {
            error = required && credentials is null or { Password: "" }
                ? new ProxyError(FailureCause.AuthFailed)
                : Parser.Parse(credentials, null, out _);
            return true;
        }

        public ValueTask<ProxyError> CheckAsync(ClientCredentials credentials, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
