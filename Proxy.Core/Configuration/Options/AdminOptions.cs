using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>A certificate with its chain, and its private key, both in PEM; absolute paths.</summary>
public sealed record CertificateFiles(string Certificate, string Key);

/// <summary>[Admin]: the admin API's address and the command line's socket.</summary>
public sealed class AdminOptions
{
    /// <summary>256 MiB.</summary>
    internal const long DefaultFetchMemory = 256L << 20;

    /// <summary>Where the API is unless it is said.</summary>
    public static IPEndPoint DefaultAddress => new(IPAddress.Loopback, 1081);

    /// <summary>host:port; beyond loopback only with <see cref="Token"/>. Default 127.0.0.1:1081; null: none.</summary>
    public IPEndPoint? Address { get; set; } = DefaultAddress;

    /// <summary>True when somebody asked for the address by name: then it must be had. The default one is a convenience.</summary>
    public bool IsAddressConfigured { get; set; }

    /// <summary>auto, unix:/path or none. Default auto: the service's runtime directory, else the user's.</summary>
    public string Socket { get; set; } = "auto";

    /// <summary>What clients of the address must send as a bearer token, 16 to 256 signs; empty: nothing. Default empty.</summary>
    public string Token { get; set; } = "";

    /// <summary>A file that holds the token; null: none. Its content is in <see cref="Token"/> after reading.</summary>
    public string? TokenFile { get; set; }

    /// <summary>The certificate that the address is served with, in https; null: in plain HTTP.</summary>
    public CertificateFiles? Tls { get; set; }

    /// <summary>
    /// An http or https URL that metrics are sent to by OpenTelemetry's protocol (OTLP, protobuf over HTTP); empty: none. Its host is an IP
    /// address or localhost: a name would have to be resolved outside Tor. The request itself does not go through Tor either.
    /// </summary>
    public string Otlp { get; set; } = "";

    /// <summary>How often they are sent, 1 s to 1 h. Default 60 s.</summary>
    public TimeSpan OtlpInterval { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes that all fetches together may hold, 64 MiB to 64 GiB. Default 256 MiB.</summary>
    public long FetchMemory { get; set; } = DefaultFetchMemory;
}
