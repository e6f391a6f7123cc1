using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl;

/// <summary>
/// What PROTOCOLINFO says before anybody is let in.
/// <code>
/// 250-PROTOCOLINFO 1
/// 250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/run/tor/control.authcookie"
/// 250-VERSION Tor="0.4.9.11"
/// 250 OK
/// </code>
/// Lines that we do not know are passed over, as the specification demands.
/// </summary>
/// <param name="Methods">NULL, HASHEDPASSWORD, COOKIE, SAFECOOKIE, and what may come.</param>
/// <param name="CookieFile">Where tor keeps its cookie; null when it does not say.</param>
/// <param name="TorVersion">For example 0.4.9.11; empty when it does not say.</param>
internal sealed record ControlProtocolInfo(IReadOnlyList<string> Methods, string? CookieFile, string TorVersion)
{
    public bool Offers(string method) => Methods.Contains(method, StringComparer.OrdinalIgnoreCase);

    public static ControlProtocolInfo Parse(ControlReply reply)
    {
        IReadOnlyList<string> methods = [];
        string? cookieFile = null;
        string version = "";
        foreach (var line in reply.Lines)
        {
            var tokens = new ControlTokens(line.Text);
            if (!tokens.TryPositional(out string word))
                continue;
            var keys = tokens.Keywords();
            if (word == "AUTH")
            {
                methods = keys.List("METHODS");
                cookieFile = keys["COOKIEFILE"] is { } path ? ControlString.ToUtf8(path) : null;
            }
            else if (word == "VERSION")
            {
                version = keys["Tor"] ?? "";
            }
        }

        return new ControlProtocolInfo(methods, cookieFile, version);
    }
}
