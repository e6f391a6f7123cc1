namespace TorBalancer.TorControl.Syntax;

/// <summary>A line <c>Key</c> (its default), <c>Key=value</c> or <c>Key="quoted"</c>, as GETCONF and CONF_CHANGED have it.</summary>
internal static class ControlConfLine
{
    /// <summary>The option and its value (UTF-8), null for the default.</summary>
    public static KeyValuePair<string, string?> Parse(string text)
    {
        int equals = text.IndexOf('=');
        return equals < 0
            ? new KeyValuePair<string, string?>(text, null)
            : new KeyValuePair<string, string?>(text[..equals], ControlString.ToUtf8(ControlString.Unquote(text[(equals + 1)..])));
    }
}
