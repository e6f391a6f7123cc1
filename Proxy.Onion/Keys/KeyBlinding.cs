using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Keys;

/// <summary>What a service is called in a time period, and what its descriptors are encrypted with (rend-spec-v3, A.2 and 2.1).</summary>
internal static class KeyBlinding
{
    /// <summary>The blinded public key; null when the address is no point of the group, so that there can be no such service.</summary>
    public static Bytes32? BlindedKey(OnionServiceAddress address, TimePeriod period)
    {
        Span<byte> factor = stackalloc byte[Bytes32.Length];
        Factor(address.PublicKey, period, factor);
        return Ed25519.Multiply(address.PublicKey, factor);
    }

    /// <summary>h = SHA3-256(BLIND_STRING | A | B | N), clamped; B is the base point in decimal digits.</summary>
    public static void Factor(Bytes32 publicKey, TimePeriod period, Span<byte> destination)
    {
        using var hash = new Sha3();
        hash.Add("Derive temporary signing key\0"u8)
            .Add(publicKey)
            .Add("(15112221349535400772501151409588531511454012693041857206046113283949847762202, "u8)
            .Add("46316835694926478169428394003475163141307993866256225615783033603165251855960)"u8)
            .Add("key-blind"u8).Add(period.Number).Add(period.Length)
            .Finish(destination);
        Ed25519.Clamp(destination);
    }

    /// <summary>SHA3-256("subcredential" | SHA3-256("credential" | A) | A').</summary>
    public static Bytes32 Subcredential(OnionServiceAddress address, Bytes32 blindedKey)
    {
        using var hash = new Sha3();
        var credential = hash.Add("credential"u8).Add(address.PublicKey).Finish();
        return hash.Add("subcredential"u8).Add(credential).Add(blindedKey).Finish();
    }
}
