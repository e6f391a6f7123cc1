namespace TorBalancer.Benchmarks.SideBySide.Load;

internal enum LoadKind
{
    /// <summary>Connect, handshake, 64 bytes there and back, close; and again.</summary>
    Connections,

    /// <summary>64 bytes there and back, again and again.</summary>
    RoundTrips,

    /// <summary>Takes what comes.</summary>
    Down,

    /// <summary>Sends without end.</summary>
    Up,

    /// <summary>64 bytes there and back, then nothing.</summary>
    Hold,

    /// <summary>HTTP requests in absolute form, or through a tunnel in the origin's.</summary>
    Requests,
}

/// <param name="Port">Where the forwarder, or the stub worker itself, listens.</param>
/// <param name="Connections">How many at a time.</param>
/// <param name="Warmup">Seconds before anything is counted, from when all connections are there.</param>
/// <param name="Window">Seconds in which everything is counted.</param>
/// <param name="Forwarder">The process whose processor time is taken; 0: none.</param>
/// <param name="Stub">The stub worker's process; 0: none.</param>
internal sealed record LoadPlan(
    LoadKind Kind, int Port, int Connections, HandshakeScript Script, double Warmup, double Window, int Forwarder, int Stub)
{
    /// <summary>Bytes of one system call for bulk data.</summary>
    public int Chunk { get; init; } = 256 * 1024;

    public bool SendFile { get; init; }

    /// <summary>For <see cref="LoadKind.Requests"/>.</summary>
    public RequestShape? Request { get; init; }

    /// <summary>The forwarder keeps connections, and they are to be kept.</summary>
    public bool KeepsAlive { get; init; }

    /// <summary>The IPv4 address to connect to; the default is 127.0.0.1.</summary>
    public uint Address { get; init; } = LoopbackSocket.Loopback;

    /// <summary>Goes before everything else on its core.</summary>
    public bool Preferred { get; init; }
}

/// <summary>What was counted in the window.</summary>
/// <param name="Operations">Connections, round trips or requests.</param>
/// <param name="Failures">Connections that failed or broke, from the first moment on.</param>
/// <param name="Cpu">Seconds of processor time of the forwarder.</param>
/// <param name="LoadCpu">The same of load generator and stub worker together.</param>
internal sealed record LoadResult(
    long Operations, long Bytes, long Failures, double Seconds, double Cpu, double LoadCpu, double P50, double P99)
{
    /// <summary>All connections since the start, those outside the window included.</summary>
    public long TotalOperations { get; init; }

    public long TotalBytes { get; init; }

    /// <summary>Seconds of processor time that the forwarder took after the load had ended, for all of it.</summary>
    public double CpuAfterwards { get; init; }

    /// <summary>What the operations of the window have cost: their part of what was done afterwards is in it.</summary>
    public double WholeCpu =>
        Cpu + (
            CpuAfterwards * (TotalOperations > 0 ? (double)Operations / TotalOperations : TotalBytes > 0 ? (double)Bytes / TotalBytes : 0));
}
