using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>HS_DESC_CONTENT: what came of fetching an onion service's descriptor.</summary>
internal sealed class HsDescContentEvent : ControlEvent
{
    private HsDescContentEvent(string address, string descriptorId, string hsDir, string content)
        : base("HS_DESC_CONTENT", ControlKeywords.Empty)
    {
        Address = address == "UNKNOWN" ? null : address;
        DescriptorId = descriptorId;
        HsDir = hsDir == "UNKNOWN" ? null : RelayName.Parse(hsDir);
        Content = content;
    }

    /// <summary>The onion address without .onion; null when tor does not know.</summary>
    public string? Address { get; }

    public string DescriptorId { get; }

    /// <summary>The directory that gave it; null when none did.</summary>
    public RelayName? HsDir { get; }

    /// <summary>The descriptor, bytes mapped to Latin-1. Of no more than white space when it was not found.</summary>
    public string Content { get; }

    /// <summary>Reads <c>address descriptor-id hsdir</c> with the descriptor as its data.</summary>
    public static HsDescContentEvent? TryParse(string text, ControlReplyLine line)
    {
        var tokens = new ControlTokens(text);
        return tokens.TryWord(out string address) && tokens.TryWord(out string id) && tokens.TryWord(out string hsDir)
            ? new HsDescContentEvent(address, id, hsDir, line.Data ?? "")
            : null;
    }
}
