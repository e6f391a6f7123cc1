namespace TorBalancer.Configuration.Options;

/// <summary>What moves the bytes.</summary>
public enum EngineKind : byte
{
    /// <summary>The Linux engine where it runs, else sockets.</summary>
    Auto,

    /// <summary>epoll and splice(2).</summary>
    Linux,

    /// <summary>System.Net.Sockets, on any platform.</summary>
    Sockets,
}

/// <summary>[Engine]: what moves the bytes. The defaults are right but for experiments.</summary>
public sealed class EngineOptions
{
    /// <summary>Which engine. Default auto.</summary>
    public EngineKind Transport { get; set; }

    /// <summary>Threads of the Linux engine, 1 to 64; 0, the default: one for each processor that the process may use.</summary>
    public int Loops { get; set; }
}
