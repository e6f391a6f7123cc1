namespace TorBalancer.Configuration.Options;

/// <summary>What a health check of an instance does.</summary>
public enum InstanceCheckKind : byte
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>A connection to a port of the instance.</summary>
    Tcp,

    /// <summary>An HTTP request, answered with a status from 200 to 399.</summary>
    Http,
}

/// <summary>A health check of an instance, through its onion address.</summary>
/// <param name="Port">The virtual port, 1 to 65535; 0 for none.</param>
/// <param name="Path">What is asked for, from its slash on; empty but for HTTP.</param>
public sealed record InstanceCheck(InstanceCheckKind Kind, int Port, string Path)
{
    public static readonly InstanceCheck None = new(InstanceCheckKind.None, 0, "");
}

/// <summary>[Instance:SERVICE/NAME]: one backend of an onion service, which is an onion service itself.</summary>
public sealed class InstanceOptions
{
    /// <summary>Name of the [OnionService:…] that it belongs to.</summary>
    public required string Service { get; init; }

    /// <summary>Unique within its service.</summary>
    public required string Name { get; init; }

    /// <summary>Its own onion address, 56 letters and digits without .onion, in lower case. Empty: not given, which is an error.</summary>
    public string Address { get; set; } = "";

    /// <summary>Its share of clients relative to the service's other instances. Default 1, 1 to 100.</summary>
    public int Weight { get; set; } = 1;

    /// <summary>Default none.</summary>
    public InstanceCheck HealthCheck { get; set; } = InstanceCheck.None;

    /// <summary>SERVICE/NAME, as the section is named.</summary>
    public string FullName => $"{Service}/{Name}";
}
