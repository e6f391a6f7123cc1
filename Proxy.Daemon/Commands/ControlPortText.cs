using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Primitives;

namespace TorBalancer.Daemon.Commands;

/// <summary>A control port on the command line, which may be on another machine.</summary>
internal static class ControlPortText
{
    // sockaddr_un has 108 bytes, the last one a zero.
    private const int LongestPath = 107;

    /// <summary>Reads IP:PORT or unix:PATH. Names are refused: they would be resolved outside Tor.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out EndPoint? endPoint)
    {
        const string unix = "unix:";
        endPoint = null;
        if (text.StartsWith(unix, StringComparison.Ordinal))
        {
            string path = text[unix.Length..];
            if (path.Length is 0 or > LongestPath || path.Contains('\0'))
                return false;
            endPoint = new UnixDomainSocketEndPoint(path);
        }
        else if (AddressLiteral.TryParseEndPoint(text, out var ip) && ip.Port != 0)
            endPoint = ip;

        return endPoint is not null;
    }
}
