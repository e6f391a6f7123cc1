using System.Globalization;
using System.Text;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;

namespace TorBalancer.Onion.Inspection;

/// <summary>
/// Shows a descriptor layer by layer. Where <see cref="OnionDescriptor"/> stops at the first thing that is wrong, this goes on and names
/// all of them.
/// </summary>
internal sealed class DescriptorInspector
{
    private const int PaddingMultiple = 10_000;

    private readonly List<string> _problems = [];
    private readonly List<string> _notes = [];
    private readonly string _text;
    private readonly DateTimeOffset _now;

    private DescriptorInspector(string text, DateTimeOffset now)
    {
        _text = text;
        _now = now;
    }

    /// <param name="text">Bytes mapped to Latin-1.</param>
    /// <param name="address">Whose it is meant to be; null: unknown, and its layers stay closed.</param>
    /// <param name="periods">Those that the service may be in.</param>
    /// <param name="maxSize">The size from which on directories refuse it, in bytes.</param>
    public static DescriptorReport Inspect(
        string text, OnionServiceAddress? address, PeriodCandidates periods, int maxSize, DateTimeOffset now) =>
        new DescriptorInspector(text, now).Inspect(address, periods, maxSize);

    private DescriptorReport Inspect(OnionServiceAddress? address, PeriodCandidates periods, int maxSize)
    {
        var report = new DescriptorReport { Address = address?.ToString(), Size = _text.Length, Problems = _problems, Notes = _notes };
        if (_text.Length >= maxSize)
            _problems.Add(Text($"it has {_text.Length} bytes: directories and clients refuse {maxSize} and more"));
        if (DocumentItem.ReadAll(_text) is not { } items)
        {
            _problems.Add("it is no document of tor's");
            return report;
        }

        // What clients say of it, first of all.
        if (OnionDescriptor.Read(_text, _now, out var problem) is null)
            _problems.Add(problem.Detail);
        var certificate = Find(items, "descriptor-signing-key-cert")?.ObjectOf(Ed25519Certificate.ObjectType) is { } encoded
            ? Ed25519Certificate.Read(encoded)
            : null;
        ulong? counter = ulong.TryParse(
            Find(items, "revision-counter")?.Arguments, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            ? number
            : null;
        report = report with
        {
            Version = Find(items, "hs-descriptor")?.Arguments,
            LifetimeMinutes = int.TryParse(
                Find(items, "descriptor-lifetime")?.Arguments, NumberStyles.None, CultureInfo.InvariantCulture, out int minutes)
                ? minutes
                : null,
            RevisionCounter = counter,
            BlindedKey = certificate?.SigningKey?.ToString(),
            SigningKey = certificate?.Key.ToString(),
            SigningKeyExpires = IntroductionPointInspector.ExpirationOf(certificate),
        };
        if (certificate?.SigningKey is not { } blindedKey || counter is null
            || Find(items, "superencrypted")?.ObjectOf("MESSAGE") is not { } encrypted)
            return report;
        if (address is not { } service)
        {
            _notes.Add("without the service's address its layers cannot be decrypted");
            return report;
        }

        report = report with { Period = PeriodOf(service, blindedKey, periods) };
        var layer = new DescriptorLayer(blindedKey, KeyBlinding.Subcredential(service, blindedKey), counter.Value);
        return Open(report, layer, encrypted, certificate.Key);
    }

    private PeriodReport? PeriodOf(OnionServiceAddress address, Bytes32 blindedKey, PeriodCandidates candidates)
    {
        foreach (var period in candidates.Periods)
        {
            if (KeyBlinding.BlindedKey(address, period) == blindedKey)
                return new PeriodReport(period.Number, period.Length, candidates.BeginOf(period));
        }

        _problems.Add(Text($"it is not signed by {address} in any of {candidates}: it is another's, or of another time"));
        return null;
    }

    private DescriptorReport Open(DescriptorReport report, DescriptorLayer layer, byte[] encrypted, Bytes32 signingKey)
    {
        if (layer.Decrypt(encrypted, DescriptorLayer.Outer) is not { } outer)
        {
            _problems.Add("its outer layer is not encrypted for this address");
            return report;
        }

        var unpadded = outer.AsSpan().TrimEnd((byte)0);
        var items = DocumentItem.ReadAll(Encoding.Latin1.GetString(unpadded)) ?? [];
        report = report with
        {
            OuterLayer = new OuterLayerReport(
                outer.Length, outer.Length - unpadded.Length, Find(items, "desc-auth-type")?.Arguments,
                Find(items, "desc-auth-ephemeral-key")?.Arguments, items.Count(static item => item.Keyword == "auth-client")),
        };
        if (outer.Length % PaddingMultiple != 0)
            _notes.Add(Text($"its outer layer is not padded to a multiple of {PaddingMultiple} bytes: tor did not make it"));
        if (Find(items, "encrypted")?.ObjectOf("MESSAGE") is not { } within)
            _problems.Add("its outer layer has no encrypted part");
        else if (layer.Decrypt(within, DescriptorLayer.Inner) is not { } inner)
            _problems.Add("only authorized clients can read it (restricted discovery)");
        else
            report = report with { InnerLayer = InspectInner(inner, signingKey) };
        return report;
    }

    private InnerLayerReport? InspectInner(byte[] plaintext, Bytes32 signingKey)
    {
        if (DocumentItem.ReadAll(Encoding.Latin1.GetString(plaintext)) is not { } items)
        {
            _problems.Add("its inner layer is no document of tor's");
            return null;
        }

        if (items is not [{ Keyword: "create2-formats" }, ..])
            _problems.Add("its inner layer does not begin with create2-formats");
        var all = items.ToArray().AsSpan();
        var points = new List<IntroductionPointReport>();
        int head = Next(all, 0);
        for (int start = head; start < all.Length;)
        {
            int end = Next(all, start + 1);
            points.Add(IntroductionPointInspector.Inspect(all[start..end], signingKey, _now));
            start = end;
        }

        Judge(points);
        var report = new InnerLayerReport
        {
            Size = plaintext.Length,
            Create2Formats = Find(items, "create2-formats")?.Arguments,
            IntroductionAuthentication = Find(items, "intro-auth-required")?.Arguments,
            IsSingleOnion = Find(items, "single-onion-service") is not null,
            FlowControl = Find(items, "flow-control")?.Arguments,
            ProofOfWork = Find(items, "pow-params")?.Arguments,
            IntroductionPoints = points,
        };
        if (report.FlowControl is null)
            _notes.Add("it does not say flow-control: clients use no congestion control towards it");
        if (report.ProofOfWork is not null)
            _notes.Add("it asks for a proof of work, with a seed that only this tor knows: no balanced descriptor can carry it");
        if (points.Any(static point => point.HasLegacyKey))
            _notes.Add("introduction points with a legacy key are left out of balanced descriptors");
        return report;

        static int Next(ReadOnlySpan<DocumentItem> items, int from)
        {
            while (from < items.Length && items[from].Keyword != "introduction-point")
                from++;
            return from;
        }
    }

    private void Judge(List<IntroductionPointReport> points)
    {
        if (points.Count == 0)
            _problems.Add("it has no introduction points: nobody can connect");
        else if (points.All(static point => point.Problems.Count > 0))
            _problems.Add("clients can use none of its introduction points");
        if (points.Count > DescriptorBuilder.MaxIntroductionPoints)
        {
            _problems.Add(Text(
                $"it has {points.Count} introduction points: tor refuses the whole of it above {DescriptorBuilder.MaxIntroductionPoints}"));
        }

        for (int i = 0; i < points.Count; i++)
            _problems.AddRange(points[i].Problems.Select(problem => Text($"introduction point {i + 1}: {problem}")));
        int twice = points.Count - points.DistinctBy(static point => point.AuthenticationKey).Count();
        if (twice > 0)
            _problems.Add(Text($"{twice} of its introduction points are there twice"));

        // find_desc_intro_point_by_legacy_id in hs_client.c: the first one of that relay is taken.
        int hidden = points.Count - twice - points.DistinctBy(static point => point.Fingerprint ?? point.AuthenticationKey).Count();
        if (hidden > 0)
            _notes.Add(Text($"{hidden} of its introduction points are at the relay of another before them: tor's clients do not use them"));
    }

    private static DocumentItem? Find(IReadOnlyList<DocumentItem> items, string keyword) =>
        items.FirstOrDefault(item => item.Keyword == keyword);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
