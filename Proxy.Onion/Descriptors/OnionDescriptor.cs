using System.Globalization;
using System.Text;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Descriptors;

/// <summary>
/// A v3 descriptor as directories keep it (rend-spec-v3, 2.4), its signatures verified: the certificate of the signing key by the blinded
/// key, and the whole by the signing key. Whether the blinded key is a given service's, <see cref="PeriodOf"/> says.
/// </summary>
internal sealed class OnionDescriptor
{
    private const string Message = "MESSAGE";

    // HS_DESC_MAX_LIFETIME of tor.
    private const int LongestLifetimeMinutes = 12 * 60;

    private readonly byte[] _superencrypted;

    private OnionDescriptor(Ed25519Certificate certificate, ulong revisionCounter, int lifetimeMinutes, byte[] superencrypted)
    {
        SigningCertificate = certificate;
        RevisionCounter = revisionCounter;
        LifetimeMinutes = lifetimeMinutes;
        _superencrypted = superencrypted;
    }

    /// <summary>The prefix of what is signed.</summary>
    public static ReadOnlySpan<byte> SignaturePrefix => "Tor onion service descriptor sig v3"u8;

    /// <summary>By which the blinded key certifies the signing key.</summary>
    public Ed25519Certificate SigningCertificate { get; }

    public Bytes32 BlindedKey => SigningCertificate.SigningKey!.Value;

    public ulong RevisionCounter { get; }

    /// <summary>How long directories keep it.</summary>
    public int LifetimeMinutes { get; }

    /// <summary>Reads and verifies one.</summary>
    /// <param name="text">Bytes mapped to Latin-1, as the control port gives it.</param>
    /// <param name="problem">What is wrong when the result is null.</param>
    public static OnionDescriptor? Read(string text, DateTimeOffset now, out DescriptorProblem problem)
    {
        problem = default;
        if (DocumentItem.ReadAll(text) is not { } items)
            return Fail(out problem, "it is no document of tor's");
        if (items is not [{ Keyword: "hs-descriptor" } first, .., { Keyword: "signature" } last])
            return Fail(out problem, "it does not begin with hs-descriptor and end with signature");
        if (first.Arguments != "3")
            return Fail(out problem, $"it is of version {ConfText.Printable(first.Arguments)}, not 3");

        if (Single(items, "descriptor-lifetime") is not { } lifetime
            || !int.TryParse(lifetime.Arguments, NumberStyles.None, CultureInfo.InvariantCulture, out int minutes)
            || minutes > LongestLifetimeMinutes)
            return Fail(out problem, "its descriptor-lifetime is missing or wrong");
        if (Single(items, "revision-counter") is not { } revision
            || !ulong.TryParse(revision.Arguments, NumberStyles.None, CultureInfo.InvariantCulture, out ulong counter))
            return Fail(out problem, "its revision-counter is missing or wrong");
        if (Single(items, "superencrypted")?.ObjectOf(Message) is not { Length: > 0 } superencrypted)
            return Fail(out problem, "its superencrypted part is missing or wrong");
        if (Single(items, "descriptor-signing-key-cert")?.ObjectOf(Ed25519Certificate.ObjectType) is not { } encoded
            || Ed25519Certificate.Read(encoded) is not { SigningKey: { } blindedKey } certificate
            || certificate.Type != CertificateTypes.DescriptorSigning)
            return Fail(out problem, "its descriptor-signing-key-cert is missing or wrong");

        if (!certificate.IsSignedBy(blindedKey) || !IsSigned(text, last, certificate.Key))
            problem = new DescriptorProblem(DescriptorFault.BadSignature, "a signature of it does not hold");
        else if (certificate.HasExpiredAt(now))
            problem = new DescriptorProblem(DescriptorFault.Expired, "the certificate of its signing key has expired");
        else
            return new OnionDescriptor(certificate, counter, minutes, superencrypted);
        return null;
    }

    /// <summary>The period in which the service goes by this key; null when it does in none of them: it is somebody else's.</summary>
    public TimePeriod? PeriodOf(OnionServiceAddress address, ReadOnlySpan<TimePeriod> periods)
    {
        foreach (var period in periods)
        {
            if (KeyBlinding.BlindedKey(address, period) == BlindedKey)
                return period;
        }

        return null;
    }

    /// <summary>Decrypts both layers with the service's address.</summary>
    /// <param name="problem">What is wrong when the result is null.</param>
    public DescriptorContent? Open(OnionServiceAddress address, DateTimeOffset now, out DescriptorProblem problem)
    {
        var layer = new DescriptorLayer(BlindedKey, KeyBlinding.Subcredential(address, BlindedKey), RevisionCounter);
        if (layer.Decrypt(_superencrypted, DescriptorLayer.Outer) is not { } outer)
        {
            problem = new DescriptorProblem(DescriptorFault.WrongService, $"it is not encrypted for {address}");
            return null;
        }

        // The outer layer is padded with NUL bytes.
        if (DocumentItem.ReadAll(Encoding.Latin1.GetString(outer.AsSpan().TrimEnd((byte)0))) is not { } items
            || Single(items, "encrypted")?.ObjectOf(Message) is not { Length: > 0 } encrypted)
        {
            problem = DescriptorProblem.Malformed("its outer layer has no encrypted part");
            return null;
        }

        if (layer.Decrypt(encrypted, DescriptorLayer.Inner) is not { } inner)
        {
            problem = new DescriptorProblem(DescriptorFault.Restricted, "only authorized clients can read it (restricted discovery)");
            return null;
        }

        problem = default;
        var content = DescriptorContent.Read(inner, SigningCertificate.Key, now);
        if (content is null)
            problem = DescriptorProblem.Malformed("its inner layer is broken");
        return content;
    }

    private static bool IsSigned(string text, DocumentItem signature, Bytes32 key)
    {
        Span<byte> bytes = stackalloc byte[Ed25519.SignatureLength];
        if (!Base64Text.TryDecode(signature.Arguments, bytes))
            return false;
        byte[] message = new byte[SignaturePrefix.Length + signature.Start];
        SignaturePrefix.CopyTo(message);
        Encoding.Latin1.GetBytes(text.AsSpan(0, signature.Start), message.AsSpan(SignaturePrefix.Length));
        return Ed25519.Verify(bytes, message, key);
    }

    private static DocumentItem? Single(IReadOnlyList<DocumentItem> items, string keyword)
    {
        DocumentItem? found = null;
        foreach (var item in items)
        {
            if (item.Keyword != keyword)
                continue;
            if (found is not null)
                return null;
            found = item;
        }

        return found;
    }

    private static OnionDescriptor? Fail(out DescriptorProblem problem, string detail)
    {
        problem = DescriptorProblem.Malformed(detail);
        return null;
    }
}
