using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace TorBalancer.Interop;

/// <summary>Whether the system can compute a kind of password hash.</summary>
internal enum CryptSupport : byte
{
    Supported,

    /// <summary>The library is there and does not know the kind, or the hash is damaged.</summary>
    KindUnknown,

    /// <summary>There is no such library, or one from before libxcrypt 4.3.</summary>
    LibraryMissing,
}

/// <summary>
/// crypt(3): password hashes by the system's own library (libxcrypt), which is loaded when the first one is met. Each call has memory of
/// its own, so that any number of threads may compute at once.
/// </summary>
internal static unsafe partial class CryptCalls
{
    public const string Library = "libcrypt.so.1";

    /// <summary>Bytes of the longest password that it hashes (CRYPT_MAX_PASSPHRASE_SIZE, with the zero behind it).</summary>
    public const int MaxPasswordBytes = 511;

    // sizeof(struct crypt_data), CRYPT_OUTPUT_SIZE and CRYPT_GENSALT_OUTPUT_SIZE of crypt.h.
    private const int DataBytes = 32768, HashBytes = 384, SettingBytes = 192;

    // What crypt_checksalt answers: CRYPT_SALT_OK, and CRYPT_SALT_METHOD_LEGACY of what is for old hashes only ($2a$ is one).
    private const int SaltOk = 0, SaltLegacy = 3;

    /// <summary>Whether a hash, or the beginning of one up to its salt, is of a kind that can be computed here.</summary>
    public static CryptSupport SupportOf(string hash)
    {
        try
        {
            return CheckSalt(hash) is SaltOk or SaltLegacy ? CryptSupport.Supported : CryptSupport.KindUnknown;
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            return CryptSupport.LibraryMissing;
        }
    }

    /// <summary>
    /// True when the password is the one that was hashed. Takes as long as the hash is meant to take, up to seconds. False also of what
    /// cannot be hashed: a password of more than <see cref="MaxPasswordBytes"/> or with a zero in it.
    /// </summary>
    /// <exception cref="DllNotFoundException">See <see cref="SupportOf"/>, as for <see cref="EntryPointNotFoundException"/>.</exception>
    public static bool Matches(ReadOnlySpan<byte> password, string hash)
    {
        Span<byte> computed = stackalloc byte[HashBytes];
        int length = Compute(password, hash, computed);
        return length > 0 && CryptographicOperations.FixedTimeEquals(computed[..length], Encoding.ASCII.GetBytes(hash));
    }

    /// <summary>The hash of a password; null: it cannot be hashed. Throws as <see cref="Matches"/>.</summary>
    /// <param name="setting">Of <see cref="NewSetting"/>.</param>
    public static string? Hash(ReadOnlySpan<byte> password, string setting)
    {
        Span<byte> computed = stackalloc byte[HashBytes];
        int length = Compute(password, setting, computed);
        return length > 0 ? Encoding.ASCII.GetString(computed[..length]) : null;
    }

    /// <summary>A prefix with a cost and a new salt; null: the library does not know the kind. Throws as <see cref="Matches"/>.</summary>
    /// <param name="prefix">Such as <c>$y$</c>.</param>
    /// <param name="cost">As crypt(5) counts it for the kind; 0: the library's own.</param>
    public static string? NewSetting(string prefix, int cost = 0)
    {
        byte* setting = stackalloc byte[SettingBytes];

        // Without bytes of ours it takes its salt from the kernel.
        byte* made = GenerateSalt(prefix, (nuint)cost, null, 0, setting, SettingBytes);
        return made is null ? null : Marshal.PtrToStringUTF8((nint)made);
    }

    /// <summary>How many bytes of the hash were written; 0: it cannot be computed.</summary>
    private static int Compute(ReadOnlySpan<byte> password, string setting, Span<byte> hash)
    {
        if (password.Length > MaxPasswordBytes || password.Contains((byte)0))
            return 0;
        Span<byte> phrase = stackalloc byte[MaxPasswordBytes + 1];
        phrase.Clear();
        password.CopyTo(phrase);
        void* data = NativeMemory.AllocZeroed(DataBytes);
        try
        {
            byte* computed;
            fixed (byte* start = phrase)
                computed = Crypt(start, setting, data, DataBytes);
            if (computed is null)
                return 0;
            var text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(computed);

            // What begins with a star is how older ones say that they cannot.
            if (text.Length > hash.Length || text.Length == 0 || text[0] == (byte)'*')
                return 0;
            text.CopyTo(hash);
            return text.Length;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(phrase);
            CryptographicOperations.ZeroMemory(new Span<byte>(data, DataBytes));
            NativeMemory.Free(data);
        }
    }

    [LibraryImport(Library, EntryPoint = "crypt_rn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial byte* Crypt(byte* phrase, string setting, void* data, int size);

    [LibraryImport(Library, EntryPoint = "crypt_gensalt_rn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial byte* GenerateSalt(string prefix, nuint cost, byte* random, int randomBytes, byte* setting, int size);

    [LibraryImport(Library, EntryPoint = "crypt_checksalt", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CheckSalt(string setting);
}
