using System.Buffers;
using System.Text;
using CsCheck;
using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Socks5;

public class Socks5PropertyTests
{
    private static readonly Gen<byte> Code = Gen.OneOf(
        TorBalancer.Protocols.Socks5.Socks5.CommandConnect, TorBalancer.Protocols.Socks5.Socks5.CommandResolve,
        TorBalancer.Protocols.Socks5.Socks5.CommandResolvePtr, TorBalancer.Protocols.Socks5.Socks5.ReplySucceeded);

    [Test]
    public void Message_that_is_written_is_the_same_when_it_is_read() =>
        Gen.Select(Code, Properties.Host, Gen.Int[0, 300]).Holds(static one =>
        {
            var (code, host, split) = one;
            byte[] frame = new byte[Socks5Writer.MaxMessageLength];
            byte[] written = frame[..Socks5Writer.WriteMessage(frame, code, host)];
            var reader = new SequenceReader<byte>(SequenceOf.Two(written, split));
            var status = Socks5Parser.TryParseMessage(ref reader, out var message);
            return status == ParseStatus.Done && reader.End && message.Code == code && message.Address == host;
        });

    [Test]
    public void Credentials_that_are_written_are_the_same_when_they_are_read() =>
        Gen.Select(Gen.Byte.Array[0, 255], Gen.Byte.Array[0, 255], Gen.Int[0, 600]).Holds(static one =>
        {
            var (user, password, split) = one;
            byte[] frame = new byte[3 + 255 + 255];
            byte[] written = frame[..Socks5Writer.WriteAuth(frame, user, password)];
            var reader = new SequenceReader<byte>(SequenceOf.Two(written, split));
            var status = Socks5Parser.TryParseAuth(ref reader, out var credentials);
            return status == ParseStatus.Done && reader.End
                && credentials == new ClientCredentials(Encoding.Latin1.GetString(user), Encoding.Latin1.GetString(password));
        });

    /// <summary>What we send to a worker, as a server reads it: greeting, isolation token, request, and nothing else.</summary>
    [Test]
    public void Opening_is_what_a_server_reads() =>
        Gen.Select(Properties.Host, Gen.Bool, Gen.Enum<ProxyCommand>()).Holds(static one =>
        {
            var (host, isolates, command) = one;
            var token = isolates ? new IsolationToken(new string('f', 32)) : IsolationToken.None;
            byte[] buffer = new byte[WorkerOpening.MaxLength];
            int length = WorkerOpening.Write(buffer, OpeningParts.All, command, host, token);
            var reader = new SequenceReader<byte>(new ReadOnlySequence<byte>(buffer, 0, length));
            bool greets = Socks5Parser.TryParseGreeting(ref reader, out var greeting) == ParseStatus.Done
                && greeting == new Socks5Greeting(!isolates, isolates);
            ClientCredentials? credentials = null;
            bool authenticates = !isolates || Socks5Parser.TryParseAuth(ref reader, out credentials) == ParseStatus.Done;
            return greets && authenticates && credentials?.Password == token.Password
                && Socks5Parser.TryParseMessage(ref reader, out var message) == ParseStatus.Done && message.Address == host && reader.End;
        });
}
