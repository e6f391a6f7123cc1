using System.Text;

namespace TorBalancer.Daemon.Readiness;

/// <summary>
/// A question over HTTP/1 (RFC 9112, section 3): of its head only the request line counts, and a body is not read.
/// </summary>
/// <param name="Method">Empty: it is no such request.</param>
/// <param name="Path">Without its query.</param>
internal readonly record struct ReadinessRequest(string Method, string Path)
{
    /// <summary>Bytes of the whole head.</summary>
    public const int MaxLength = 4096;

    /// <summary>What is no request.</summary>
    public static readonly ReadinessRequest None = new("", "");

    /// <summary>The request; null: its head has not ended yet.</summary>
    //   GET /readyz HTTP/1.1 CRLF  *( field CRLF )  CRLF
    public static ReadinessRequest? TryParse(ReadOnlySpan<byte> head)
    {
        // What is no HTTP may never end its head.
        int line = head.IndexOf((byte)'\n');
        if (line < 0)
            return head.Length >= 1 && !char.IsAsciiLetterUpper((char)head[0]) ? None : null;
        string[] words = Encoding.ASCII.GetString(head[..line]).TrimEnd('\r').Split(' ');
        if (words is not [{ Length: > 0 } method, var target, "HTTP/1.1" or "HTTP/1.0"] || !method.All(char.IsAsciiLetterUpper))
            return None;
        if (head.IndexOf("\r\n\r\n"u8) < 0 && head.IndexOf("\n\n"u8) < 0)
            return null;

        // In absolute form as well, which every server has to take (section 3.2.2).
        if (target.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
            target = target.IndexOf('/', "http://".Length) is > 0 and var path ? target[path..] : "/";
        return new ReadinessRequest(method, target.Split('?')[0]);
    }
}
