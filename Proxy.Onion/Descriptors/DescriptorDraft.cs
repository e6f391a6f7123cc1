using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Descriptors;

/// <summary>What goes into a descriptor.</summary>
internal sealed record DescriptorDraft
{
    public required TimePeriod Period { get; init; }

    public required ulong RevisionCounter { get; init; }

    /// <summary>At most <see cref="DescriptorBuilder.MaxIntroductionPoints"/>, none with a legacy key.</summary>
    public required IReadOnlyList<IntroductionPoint> IntroductionPoints { get; init; }

    /// <inheritdoc cref="DescriptorContent.FlowControl"/>
    public string? FlowControl { get; init; }

    /// <inheritdoc cref="DescriptorContent.IsSingleOnion"/>
    public bool IsSingleOnion { get; init; }
}

/// <summary>A descriptor, ready for the directories.</summary>
/// <param name="Text">Plain ASCII.</param>
internal sealed record BuiltDescriptor(string Text, Crypto.Bytes32 BlindedKey, ulong RevisionCounter);
