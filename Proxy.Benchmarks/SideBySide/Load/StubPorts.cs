namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>The target port that a client asks for says what the stub worker does with the connection.</summary>
internal static class StubPorts
{
    /// <summary>Sends everything back, from a thread that goes before all others: for pings beside bulk data.</summary>
    public const int PreferredEcho = 7;

    /// <summary>Sends everything back.</summary>
    public const int Echo = 8;

    /// <summary>Takes everything.</summary>
    public const int Sink = 9;

    /// <summary>An HTTP origin.</summary>
    public const int Origin = 80;

    /// <summary>Sends without end.</summary>
    public const int Source = 19;
}
