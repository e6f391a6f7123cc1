using System.Reflection;
using System.Runtime.InteropServices;

namespace TorBalancer.Onion.Crypto;

/// <summary>
/// libsodium's operations on the Ed25519 group and its scalars, which .NET does not offer. All take and give 32 bytes, little-endian,
/// and answer 0, or -1 for what is no point of the main subgroup. <see cref="Require"/> goes first.
/// </summary>
internal static unsafe partial class Sodium
{
    private const string Library = "libsodium";

    // What the releases are called by: 1.0.18 (Debian 12) and earlier are .23, later ones .26; the bare name is the development package's.
    private static readonly string[] FileNames = ["libsodium.so.23", "libsodium.so.26", "libsodium.so"];

    private static readonly Lazy<bool> IsThere = new(Initialize);

    /// <summary>Loads it; throws <see cref="OnionCryptoException"/>, which says what to install, when it is not there.</summary>
    public static void Require()
    {
        if (!IsThere.Value)
            throw new OnionCryptoException("libsodium is missing: install it (Debian, Ubuntu: apt-get install libsodium23)");
    }

    /// <summary>q = n·B; of n only the lower 255 bits count.</summary>
    [LibraryImport(Library, EntryPoint = "crypto_scalarmult_ed25519_base_noclamp")]
    public static partial int MultiplyBase(byte* q, byte* n);

    /// <summary>q = n·p.</summary>
    [LibraryImport(Library, EntryPoint = "crypto_scalarmult_ed25519_noclamp")]
    public static partial int Multiply(byte* q, byte* n, byte* p);

    /// <summary>r = s mod l; s has 64 bytes.</summary>
    [LibraryImport(Library, EntryPoint = "crypto_core_ed25519_scalar_reduce")]
    public static partial void Reduce(byte* r, byte* s);

    /// <summary>z = x·y mod l.</summary>
    [LibraryImport(Library, EntryPoint = "crypto_core_ed25519_scalar_mul")]
    public static partial void MultiplyScalars(byte* z, byte* x, byte* y);

    /// <summary>z = x + y mod l.</summary>
    [LibraryImport(Library, EntryPoint = "crypto_core_ed25519_scalar_add")]
    public static partial void AddScalars(byte* z, byte* x, byte* y);

    /// <summary>0 when the signature (64 bytes) of the message by the key holds.</summary>
    [LibraryImport(Library, EntryPoint = "crypto_sign_ed25519_verify_detached")]
    public static partial int Verify(byte* signature, byte* message, ulong length, byte* key);

    /// <summary>The X25519 public key q of a secret key n.</summary>
    [LibraryImport(Library, EntryPoint = "crypto_scalarmult_curve25519_base")]
    public static partial int MultiplyCurve25519Base(byte* q, byte* n);

    [LibraryImport(Library, EntryPoint = "sodium_init")]
    private static partial int Init();

    private static bool Initialize()
    {
        NativeLibrary.SetDllImportResolver(typeof(Sodium).Assembly, Resolve);
        try
        {
            return Init() >= 0;
        }
        catch (DllNotFoundException)
        {
            return false;
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name != Library)
            return 0;
        foreach (string file in FileNames)
        {
            if (NativeLibrary.TryLoad(file, out nint handle))
                return handle;
        }

        return 0;
    }
}
