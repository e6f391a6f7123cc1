using System.Security.Cryptography;
using System.Text;
using TorBalancer.Interop;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl;

/// <summary>
/// Gets into a control port: NULL when tor asks for nothing, the password when one is configured, SAFECOOKIE, and
/// COOKIE only of a tor that knows nothing better (control-spec, "AUTHENTICATE", "AUTHCHALLENGE").
/// </summary>
internal sealed class ControlAuthenticator(
    Func<string, CancellationToken, Task<ControlReply>> send, ControlCredentials credentials, bool isLocal)
{
    private const int CookieBytes = 32;
    private const int NonceBytes = 32;

    private readonly List<string> _tried = [];

    /// <summary>Returns when tor has let us in. Throws <see cref="ControlAuthenticationException"/> when it has not.</summary>
    public async Task<ControlProtocolInfo> RunAsync(CancellationToken cancellationToken)
    {
        var reply = await send("PROTOCOLINFO 1", cancellationToken);
        if (!reply.IsPositive)
            throw new ControlAuthenticationException($"tor answered PROTOCOLINFO with {reply.Code} {reply.Text}");
        var info = ControlProtocolInfo.Parse(reply);

        // A refused AUTHENTICATE ends the connection: methods that cannot work are passed over before it is sent.
        string? argument = info.Offers("NULL")
            ? ""
            : Password(info) ?? await SafeCookieAsync(info, cancellationToken) ?? PlainCookie(info);
        if (argument is null)
            throw Failed(info, "no method can be used");

        reply = await send(argument.Length == 0 ? "AUTHENTICATE" : "AUTHENTICATE " + argument, cancellationToken);
        if (!reply.IsPositive)
            throw Failed(info, $"tor answered {reply.Code} {reply.Text}");
        return info;
    }

    private string? Password(ControlProtocolInfo info)
    {
        if (!info.Offers("HASHEDPASSWORD"))
        {
            if (credentials.Password is not null)
                _tried.Add("password: not offered by tor");
            return null;
        }

        if (credentials.Password is null)
        {
            _tried.Add("HASHEDPASSWORD: no ControlPassword is configured");
            return null;
        }

        _tried.Add("HASHEDPASSWORD");

        // In hex, which tor takes as well: quoted strings of commands are read differently by different versions.
        return Convert.ToHexString(Encoding.UTF8.GetBytes(credentials.Password));
    }

    private async Task<string?> SafeCookieAsync(ControlProtocolInfo info, CancellationToken cancellationToken)
    {
        if (!info.Offers("SAFECOOKIE") || ReadCookie(info, "SAFECOOKIE") is not { } cookie)
            return null;
        byte[] nonce = RandomNumberGenerator.GetBytes(NonceBytes);
        var reply = await send("AUTHCHALLENGE SAFECOOKIE " + Convert.ToHexString(nonce), cancellationToken);
        _tried.Add("SAFECOOKIE");
        if (!reply.IsPositive)
            throw Failed(info, $"tor answered AUTHCHALLENGE with {reply.Code} {reply.Text}");

        var tokens = new ControlTokens(reply.Text);
        tokens.TryPositional(out _);
        var keys = tokens.Keywords();
        if (!TryHex(keys["SERVERHASH"], out byte[] serverHash) || !TryHex(keys["SERVERNONCE"], out byte[] serverNonce))
            throw Failed(info, "the answer to AUTHCHALLENGE holds no SERVERHASH and SERVERNONCE");

        byte[] message = [.. cookie, .. nonce, .. serverNonce];
        byte[] expected = HMACSHA256.HashData("Tor safe cookie authentication server-to-controller hash"u8, message);

        // Who does not know the cookie is not the tor that wrote it, and must not be told it by another method either.
        if (!CryptographicOperations.FixedTimeEquals(expected, serverHash))
            throw Failed(
                info,
                "the other side does not know the cookie (SERVERHASH is wrong): it is not this tor, or the cookie file is an old one");
        return Convert.ToHexString(HMACSHA256.HashData("Tor safe cookie authentication controller-to-server hash"u8, message));
    }

    private string? PlainCookie(ControlProtocolInfo info)
    {
        if (!info.Offers("COOKIE") || info.Offers("SAFECOOKIE") || ReadCookie(info, "COOKIE") is not { } cookie)
            return null;
        _tried.Add("COOKIE");
        return Convert.ToHexString(cookie);
    }

    private byte[]? ReadCookie(ControlProtocolInfo info, string method)
    {
        string? path = credentials.CookiePath ?? info.CookieFile;
        if (path is null)
        {
            _tried.Add($"{method}: neither tor nor the configuration names a cookie file");
            return null;
        }

        // A remote host naming a file of ours could have any 32 bytes sent to it.
        if (!isLocal && credentials.CookiePath is null)
        {
            _tried.Add($"{method}: tor is on another host, so ControlCookie must name the cookie file");
            return null;
        }

        if (FileCalls.IsWaitedFor(path))
        {
            _tried.Add($"{method}: {path} is a named pipe and no file");
            return null;
        }

        try
        {
            using var file = File.OpenRead(path);
            byte[] bytes = new byte[CookieBytes + 1];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length == CookieBytes)
                return bytes[..CookieBytes];
            _tried.Add($"{method}: {path} is no cookie (not {CookieBytes} bytes)");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            _tried.Add($"{method}: {failure.Message}");
        }

        return null;
    }

    private ControlAuthenticationException Failed(ControlProtocolInfo info, string why)
        => new(
            $"authentication failed: {why}. Tor offers {(info.Methods.Count == 0 ? "nothing" : string.Join(", ", info.Methods))}; "
                + $"tried: {(_tried.Count == 0 ? "nothing" : string.Join("; ", _tried))}");

    private static bool TryHex(string? text, out byte[] bytes)
    {
        bytes = [];
        if (text is null || text.Length != 64 || !text.All(char.IsAsciiHexDigit))
            return false;
        bytes = Convert.FromHexString(text);
        return true;
    }
}
