using System.Buffers;
using System.Buffers.Text;
using System.Formats.Asn1;
using System.Security.Cryptography;
using TorBalancer.Interop;
using TorBalancer.Onion.Crypto;
using TorBalancer.Primitives;

namespace TorBalancer.Onion.Keys;

/// <summary>
/// Reads an identity key from a PKCS#8 file in PEM (RFC 8410; what onionbalance-config writes) or from tor's hs_ed25519_secret_key.
/// </summary>
internal static class KeyFile
{
    private const int LongestFile = 4096;

    private const string Ed25519Oid = "1.3.101.112";

    /// <summary>
    /// Throws <see cref="KeyFileException"/> when it cannot be read, is open to others (more than mode 0600) or holds something else, and
    /// <see cref="OnionCryptoException"/> when libsodium is missing.
    /// </summary>
    public static IdentityKey Load(string path)
    {
        byte[] content = GC.AllocateArray<byte>(LongestFile + 1, pinned: true);
        try
        {
            return Parse(path, content.AsSpan(0, Read(path, content)));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    private static int Read(string path, byte[] content)
    {
        try
        {
            // Looked at first: opening a pipe would wait for its other end.
            if (FileCalls.StatusOf(path, followLinks: true) is { IsFile: false })
                throw new KeyFileException(path, "not a file");
            using var file = File.OpenHandle(path);
            var mode = File.GetUnixFileMode(file);
            if ((mode & FileModes.Others) != 0)
            {
                throw new KeyFileException(
                    path,
                    $"others may use this key (mode {Convert.ToString((int)mode, 8)}): chmod 600 it; better still, replace it");
            }

            int length = 0;
            while (length < content.Length && RandomAccess.Read(file, content.AsSpan(length), length) is > 0 and var read)
                length += read;
            return length;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            bool isMissing = failure is FileNotFoundException or DirectoryNotFoundException;
            throw new KeyFileException(path, isMissing ? "there is no such file" : failure.Message);
        }
    }

    private static IdentityKey Parse(string path, ReadOnlySpan<byte> content)
    {
        if (content.Length > LongestFile)
            throw new KeyFileException(path, $"too long for a key (more than {LongestFile} bytes)");
        if (content.StartsWith(TorKeyFiles.SecretHeader[..29]))
        {
            int length = TorKeyFiles.SecretHeader.Length + Ed25519SecretKey.ExpandedLength;
            return content.Length == length && content.StartsWith(TorKeyFiles.SecretHeader)
                ? IdentityKey.FromExpanded(content[TorKeyFiles.SecretHeader.Length..])
                : throw new KeyFileException(path, $"a tor key file has {length} bytes, this one has {content.Length}");
        }

        if (!PemEncoding.TryFindUtf8(content, out var pem))
            throw new KeyFileException(path, "neither a PKCS#8 key in PEM nor tor's hs_ed25519_secret_key");
        var label = content[pem.Label];
        if (label.SequenceEqual("ENCRYPTED PRIVATE KEY"u8))
            throw new KeyFileException(path, "this key is encrypted: store it without a passphrase");
        if (!label.SequenceEqual("PRIVATE KEY"u8))
            throw new KeyFileException(path, "the PEM block is no PRIVATE KEY (PKCS#8)");
        return ParsePkcs8(path, content[pem.Base64Data]);
    }

    // PrivateKeyInfo ::= SEQUENCE { version, SEQUENCE { algorithm OID }, OCTET STRING { OCTET STRING (32) }, … }
    private static IdentityKey ParsePkcs8(string path, ReadOnlySpan<byte> base64)
    {
        byte[] der = GC.AllocateArray<byte>(LongestFile, pinned: true);
        try
        {
            if (Base64.DecodeFromUtf8(base64, der, out _, out int length) != OperationStatus.Done)
                throw new KeyFileException(path, "the PEM block is broken");
            AsnDecoder.ReadSequence(der.AsSpan(0, length), AsnEncodingRules.DER, out int at, out int content, out _);
            var rest = der.AsSpan(at, content);
            AsnDecoder.ReadIntegerBytes(rest, AsnEncodingRules.DER, out int used);
            rest = rest[used..];
            AsnDecoder.ReadSequence(rest, AsnEncodingRules.DER, out at, out content, out used);
            if (AsnDecoder.ReadObjectIdentifier(rest.Slice(at, content), AsnEncodingRules.DER, out _) != Ed25519Oid)
                throw new KeyFileException(path, "the key is of another kind: onion services have Ed25519 keys");
            rest = rest[used..];
            if (AsnDecoder.TryReadPrimitiveOctetString(rest, AsnEncodingRules.DER, out var inner, out _)
                && AsnDecoder.TryReadPrimitiveOctetString(inner, AsnEncodingRules.DER, out var seed, out _)
                && seed.Length == Ed25519SecretKey.SeedLength)
                return IdentityKey.FromSeed(seed);
            throw new KeyFileException(path, "the PKCS#8 key holds no Ed25519 key of 32 bytes");
        }
        catch (AsnContentException)
        {
            throw new KeyFileException(path, "the PEM block is no PKCS#8 key");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
        }
    }
}
