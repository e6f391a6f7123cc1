using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Admin]: the admin API's address and the command line's socket.</summary>
public sealed class AdminOptions
{
    /// <summary>256 MiB.</summary>
    internal const long DefaultFetchMemory = 256L << 20;

    /// <summary>host:port; loopback only. Default 127.0.0.1:1081; null: none.</summary>
    public IPEndPoint? Address { get; set; } = new(IPAddress.Loopback, 1081);

    /// <summary>True when somebody asked for the address by name: then it must be had. The default one is a convenience.</summary>
    public bool IsAddressConfigured { get; set; }

    /// <summary>auto, unix:/path or none. Default auto: the service's runtime directory, else the user's.</summary>
    public string Socket { get; set; } = "auto";

    /// <summary>Bytes that all fetches together may hold, 64 MiB to 64 GiB. Default 256 MiB.</summary>
    public long FetchMemory { get; set; } = DefaultFetchMemory;
}
