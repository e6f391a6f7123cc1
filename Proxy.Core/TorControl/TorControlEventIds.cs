namespace TorBalancer.TorControl;

/// <summary>Log event ids of the control port client (5000-5099). Never reused.</summary>
internal static class TorControlEventIds
{
    public const int Connected = 5000;
    public const int Closed = 5001;
    public const int EventsDropped = 5002;
}
