using System.Text;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Descriptors;

/// <summary>The innermost layer of a descriptor: what clients connect by (rend-spec-v3, 2.5.2.2).</summary>
internal sealed record DescriptorContent
{
    /// <summary>The argument of create2-formats: the handshakes that are possible; 2 is ntor.</summary>
    public required string Create2Formats { get; init; }

    /// <summary>The arguments of intro-auth-required; null without.</summary>
    public required string? IntroductionAuthentication { get; init; }

    /// <summary>True for a service that does not hide where it is.</summary>
    public required bool IsSingleOnion { get; init; }

    /// <summary>The arguments of flow-control: the congestion control that the service's tor can do. Null without.</summary>
    public required string? FlowControl { get; init; }

    /// <summary>
    /// The arguments of pow-params: the proof of work that is asked for, with a seed that only this tor knows. Null without.
    /// </summary>
    public required string? ProofOfWork { get; init; }

    public required IReadOnlyList<IntroductionPoint> IntroductionPoints { get; init; }

    /// <summary>Introduction points that no client could use: broken, expired or badly signed.</summary>
    public required int UnusableIntroductionPoints { get; init; }

    /// <summary>Reads the layer's plaintext; null when it has not the form.</summary>
    public static DescriptorContent? Read(ReadOnlySpan<byte> plaintext, Bytes32 signingKey, DateTimeOffset now)
    {
        const string point = "introduction-point";
        if (DocumentItem.ReadAll(Encoding.Latin1.GetString(plaintext)) is not [{ Keyword: "create2-formats" }, ..] items)
            return null;
        var all = items.ToArray().AsSpan();
        int first = Next(all, 0);
        var points = new List<IntroductionPoint>();
        int unusable = 0;
        for (int start = first; start < all.Length;)
        {
            int end = Next(all, start + 1);
            if (IntroductionPoint.Read(all[start..end], signingKey, now) is { } read)
                points.Add(read);
            else
                unusable++;
            start = end;
        }

        return new DescriptorContent
        {
            Create2Formats = Argument(all[..first], "create2-formats")!,
            IntroductionAuthentication = Argument(all[..first], "intro-auth-required"),
            IsSingleOnion = Argument(all[..first], "single-onion-service") is not null,
            FlowControl = Argument(all[..first], "flow-control"),
            ProofOfWork = Argument(all[..first], "pow-params"),
            IntroductionPoints = points,
            UnusableIntroductionPoints = unusable,
        };

        static int Next(ReadOnlySpan<DocumentItem> items, int from)
        {
            while (from < items.Length && items[from].Keyword != point)
                from++;
            return from;
        }
    }

    private static string? Argument(ReadOnlySpan<DocumentItem> items, string keyword)
    {
        foreach (var item in items)
        {
            if (item.Keyword == keyword)
                return item.Arguments;
        }

        return null;
    }
}
