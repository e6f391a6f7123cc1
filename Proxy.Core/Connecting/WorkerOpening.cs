using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks5;

namespace TorBalancer.Connecting;

/// <summary>
/// What is sent to a worker before a stream is open, as a whole or in parts (RFC 1928, sections 3 and 4; RFC 1929, section 2).
/// </summary>
[Flags]
internal enum OpeningParts : byte
{
    Greeting = 1,
    Authentication = 2,
    Request = 4,
    All = Greeting | Authentication | Request,
}

internal static class WorkerOpening
{
    /// <summary>Greeting 3, user/password 3 + 9 + 32, request 262.</summary>
    public const int MaxLength = 3 + 3 + 9 + 32 + Socks5Writer.MaxMessageLength;

    /// <summary>Writes these parts in their order; without a token there is no authentication. Gives the length.</summary>
    public static int Write(Span<byte> buffer, OpeningParts parts, ProxyCommand command, HostEndPoint target, IsolationToken token)
    {
        int length = 0;
        if ((parts & OpeningParts.Greeting) != 0)
        {
            buffer[0] = Socks5.Version;
            buffer[1] = 1;
            buffer[2] = token.IsNone ? Socks5.MethodNoAuth : Socks5.MethodUserPassword;
            length = 3;
        }

        if ((parts & OpeningParts.Authentication) != 0 && !token.IsNone)
        {
            Span<byte> password = stackalloc byte[64];
            int passwordLength = token.CopyPasswordTo(password);
            length += Socks5Writer.WriteAuth(buffer[length..], IsolationToken.UserName, password[..passwordLength]);
        }

        if ((parts & OpeningParts.Request) == 0)
            return length;
        byte code = command switch
        {
            ProxyCommand.Resolve => Socks5.CommandResolve,
            ProxyCommand.ResolvePtr => Socks5.CommandResolvePtr,
            _ => Socks5.CommandConnect,
        };
        return length + Socks5Writer.WriteMessage(buffer[length..], code, target);
    }
}
