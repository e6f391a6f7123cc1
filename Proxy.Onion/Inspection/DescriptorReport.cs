using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Inspection;

/// <summary>All that can be seen of a descriptor, whether it is as it should be or not. What is null could not be read.</summary>
internal sealed record DescriptorReport
{
    /// <summary>Whose it is meant to be; null when that was not said, and nothing is decrypted then.</summary>
    public string? Address { get; init; }

    /// <summary>In bytes.</summary>
    public required int Size { get; init; }

    public string? Version { get; init; }

    /// <summary>How long directories keep it.</summary>
    public int? LifetimeMinutes { get; init; }

    public ulong? RevisionCounter { get; init; }

    /// <summary>By which directories know the service, in hexadecimal digits.</summary>
    public string? BlindedKey { get; init; }

    /// <summary>In which time period the address goes by this key.</summary>
    public PeriodReport? Period { get; init; }

    public string? SigningKey { get; init; }

    /// <summary>When the certificate of the signing key expires.</summary>
    public DateTimeOffset? SigningKeyExpires { get; init; }

    public OuterLayerReport? OuterLayer { get; init; }

    public InnerLayerReport? InnerLayer { get; init; }

    /// <summary>What makes directories or clients refuse it, or a part of it.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>What is worth knowing beside.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}

/// <param name="LengthMinutes">1,440 on the public network.</param>
/// <param name="Begins">When it begins by that network's reckoning.</param>
internal sealed record PeriodReport(ulong Number, ulong LengthMinutes, DateTimeOffset Begins);

/// <summary>The layer that everybody with the address can decrypt.</summary>
/// <param name="Size">Of its plaintext, padding included, in bytes.</param>
/// <param name="Padding">Bytes of it that are padding.</param>
/// <param name="Clients">Lines auth-client, real or made up.</param>
internal sealed record OuterLayerReport(int Size, int Padding, string? AuthenticationType, string? EphemeralKey, int Clients);

/// <summary>The layer that clients connect by.</summary>
internal sealed record InnerLayerReport
{
    /// <summary>Of its plaintext, in bytes.</summary>
    public required int Size { get; init; }

    public string? Create2Formats { get; init; }

    /// <summary>The arguments of intro-auth-required.</summary>
    public string? IntroductionAuthentication { get; init; }

    public required bool IsSingleOnion { get; init; }

    public string? FlowControl { get; init; }

    /// <summary>The arguments of pow-params.</summary>
    public string? ProofOfWork { get; init; }

    public required IReadOnlyList<IntroductionPointReport> IntroductionPoints { get; init; }
}

/// <summary>One introduction point, as it is written.</summary>
internal sealed record IntroductionPointReport
{
    /// <summary>Where the relay is reached, address:port; null without.</summary>
    public string? Relay { get; init; }

    /// <summary>The fingerprint of the relay's RSA identity.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>The relay's Ed25519 identity, in hexadecimal digits.</summary>
    public string? Identity { get; init; }

    /// <summary>The relay's ntor key, in base64.</summary>
    public string? OnionKey { get; init; }

    /// <summary>By which the relay knows the service's circuit.</summary>
    public string? AuthenticationKey { get; init; }

    public DateTimeOffset? AuthenticationKeyExpires { get; init; }

    /// <summary>In base64.</summary>
    public string? EncryptionKey { get; init; }

    public DateTimeOffset? EncryptionKeyExpires { get; init; }

    public required bool HasLegacyKey { get; init; }

    /// <summary>Why clients pass it over; empty when they do not.</summary>
    public required IReadOnlyList<string> Problems { get; init; }
}
