using System.Diagnostics.CodeAnalysis;
using TorBalancer.Onion.Crypto;
using TorBalancer.Primitives;

namespace TorBalancer.Onion.Keys;

/// <summary>A v3 onion address, which is its service's public identity key in other words (rend-spec-v3, section 6).</summary>
/// <param name="PublicKey">The identity key.</param>
internal readonly record struct OnionServiceAddress(Bytes32 PublicKey)
{
    private const string Suffix = ".onion";

    /// <summary>Reads 56 letters and digits with or without ".onion", in either case.</summary>
    /// <param name="error">What is wrong with it, when something is.</param>
    public static bool TryParse(string text, out OnionServiceAddress address, [NotNullWhen(false)] out string? error)
    {
        address = default;
        string name = text.ToLowerInvariant();
        if (!name.EndsWith(Suffix, StringComparison.Ordinal))
            name += Suffix;
        string label = name[..^Suffix.Length];
        Span<byte> key = stackalloc byte[Bytes32.Length];
        if (label.Length != OnionAddress.LabelLength)
            error = $"a v3 onion address has {OnionAddress.LabelLength} letters and digits before .onion, not {label.Length}";
        else if (!OnionAddress.TryReadKey(label, key))
            error = "not a v3 onion address: a letter is wrong, or the checksum";
        else
            error = null;
        if (error is not null)
            return false;
        address = new OnionServiceAddress(new Bytes32(key));
        return true;
    }

    /// <summary>Without ".onion", as the control port writes it.</summary>
    public string Label
    {
        get
        {
            Span<byte> key = stackalloc byte[Bytes32.Length];
            PublicKey.CopyTo(key);
            return OnionAddress.LabelOf(key);
        }
    }

    /// <summary>With ".onion".</summary>
    public override string ToString() => Label + Suffix;
}
