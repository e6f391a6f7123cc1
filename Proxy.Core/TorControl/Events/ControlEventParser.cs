using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>Makes an event of an asynchronous reply. Never throws: what it cannot read is a <see cref="GenericEvent"/>.</summary>
internal static class ControlEventParser
{
    public static ControlEvent Parse(ControlReply reply)
    {
        string first = reply.Lines[0].Text;
        int space = first.IndexOf(' ');
        string name = space < 0 ? first : first[..space];
        string text = space < 0 ? "" : first[(space + 1)..];
        ControlEvent? typed = name switch
        {
            "CIRC" => CircuitInfo.TryParse(text) is { } info ? new CircuitEvent(info) : null,
            "CIRC_MINOR" => CircuitInfo.TryParse(text) is { } info ? new CircuitMinorEvent(info) : null,
            "STREAM" => StreamInfo.TryParse(text) is { } info ? new StreamEvent(info) : null,
            "ORCONN" => OrConnEvent.TryParse(text),
            "GUARD" => GuardEvent.TryParse(text),
            "NETWORK_LIVENESS" => NetworkLivenessEvent.TryParse(text),
            "STATUS_CLIENT" or "STATUS_GENERAL" or "STATUS_SERVER" => StatusEvent.TryParse(name, text),
            "BUILDTIMEOUT_SET" => BuildTimeoutEvent.TryParse(text),
            "CONF_CHANGED" => ConfChangedEvent.Parse(reply.Lines),
            "HS_DESC" => HsDescEvent.TryParse(text),
            "HS_DESC_CONTENT" => HsDescContentEvent.TryParse(text, reply.Lines[0]),
            _ => null,
        };
        return typed ?? new GenericEvent(name, text, reply.Lines);
    }
}
