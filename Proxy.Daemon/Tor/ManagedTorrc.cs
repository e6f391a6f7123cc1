using System.Globalization;
using System.Text;

namespace TorBalancer.Daemon.Tor;

/// <summary>
/// Writes the torrc of a managed worker: what the user may override, the user's lines, what must be so (tor takes the last).
/// </summary>
internal static class ManagedTorrc
{
    /// <param name="extraLines">The user's lines (bridges, …), or a test's.</param>
    /// <param name="ownerPid">Tor ends when this process does, also before it is owned by a control connection.</param>
    public static IReadOnlyList<string> Lines(ManagedWorkerPaths paths, string id, IEnumerable<string> extraLines, int ownerPid)
    {
        // A session keeps its circuit for as long as it uses it, rather than ten minutes: KeepAliveIsolateSOCKSAuth.
        const string flags = "ExtendedErrors KeepAliveIsolateSOCKSAuth";
        var lines = new List<string>
        {
            "SafeLogging 1",
            "AvoidDiskWrites 1",

            // An idle worker that went dormant is slow when it is needed.
            "DormantTimeoutEnabled 0",
        };
        lines.AddRange(extraLines);
        lines.AddRange(
        [
            "DataDirectory " + Quote(paths.DataDirectory(id)),
            "SocksPort " + (!paths.HasSocksPort ? "0"
                : paths.SocksSocket(id) is { } socks ? Quote($"unix:{Quote(socks)} {flags}")
                : "127.0.0.1:auto " + flags),
        ]);
        if (paths.ControlSocket(id) is { } control)
        {
            lines.Add("ControlSocket " + Quote(control));
        }
        else
        {
            lines.Add("ControlPort 127.0.0.1:auto");
            lines.Add("ControlPortWriteToFile " + Quote(paths.ControlPortFile(id)));
        }

        lines.AddRange(
        [
            "CookieAuthentication 1",
            "CookieAuthFile " + Quote(paths.CookiePath(id)),
            "__OwningControllerProcess " + ownerPid.ToString(CultureInfo.InvariantCulture),
            "ClientOnly 1",
            "RunAsDaemon 0",
            "Log notice stdout",
        ]);
        return lines;
    }

    /// <summary>A C string, which a value of a torrc may be.</summary>
    internal static string Quote(string value)
    {
        var text = new StringBuilder(value.Length + 2).Append('"');
        foreach (char c in value)
        {
            if (char.IsAscii(c) && char.IsControl(c))
            {
                // Three octal digits, as tor's own quoting has it: a line feed would end the line.
                text.Append('\\').Append(Convert.ToString(c, 8).PadLeft(3, '0'));
                continue;
            }

            if (c is '"' or '\\')
                text.Append('\\');
            text.Append(c);
        }

        return text.Append('"').ToString();
    }
}
