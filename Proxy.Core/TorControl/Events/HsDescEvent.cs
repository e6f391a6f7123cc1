using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>HS_DESC: an onion service's descriptor was asked for, received, uploaded, or not.</summary>
internal sealed class HsDescEvent : ControlEvent
{
    private HsDescEvent(string action, string address, string authType, string hsDir, string? descriptorId, ControlKeywords keywords)
        : base("HS_DESC", keywords)
    {
        Action = action;
        Address = address == "UNKNOWN" ? null : address;
        AuthType = authType;
        HsDir = hsDir == "UNKNOWN" ? null : RelayName.Parse(hsDir);
        DescriptorId = descriptorId;
    }

    /// <summary>REQUESTED, UPLOAD, RECEIVED, UPLOADED, IGNORE, FAILED or CREATED.</summary>
    public string Action { get; }

    /// <summary>The onion address without .onion; null when tor does not know.</summary>
    public string? Address { get; }

    /// <summary>NO_AUTH, or how clients are authorized.</summary>
    public string AuthType { get; }

    /// <summary>The directory; null when tor does not say.</summary>
    public RelayName? HsDir { get; }

    public string? DescriptorId { get; }

    /// <summary>On FAILED: NOT_FOUND, BAD_DESC, QUERY_REJECTED, QUERY_NO_HSDIR, QUERY_RATE_LIMITED, UPLOAD_REJECTED, UNEXPECTED.</summary>
    public string? Reason => Keywords["REASON"];

    /// <summary>Reads <c>action address authtype hsdir [descriptor id] *(KEY=value)</c>.</summary>
    public static HsDescEvent? TryParse(string text)
    {
        var tokens = new ControlTokens(text);
        if (!tokens.TryWord(out string action)
            || !tokens.TryWord(out string address)
            || !tokens.TryWord(out string authType)
            || !tokens.TryWord(out string hsDir))
            return null;

        string? id = tokens.TryPositional(out string word) ? word : null;
        return new HsDescEvent(action, address, authType, hsDir, id, tokens.Keywords());
    }
}
