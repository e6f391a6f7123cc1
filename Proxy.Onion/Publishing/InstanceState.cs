using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Publishing;

/// <summary>What became of a descriptor that was received for an instance.</summary>
internal enum Receipt : byte
{
    /// <summary>It brings other introduction points, or it is the first: what is published is not up to date any more.</summary>
    Changed,

    /// <summary>It says what the last one said.</summary>
    Unchanged,

    /// <summary>Older than the last one: a directory that keeps an old one, or that replays it. It counts for nothing.</summary>
    Older,

    /// <summary>It cannot be used; <see cref="InstanceState.Problem"/> says why. What was there before stays until it is too old.</summary>
    Refused,
}

/// <summary>One backend of a service, as its descriptors show it. Not safe for several threads at once.</summary>
internal sealed class InstanceState(string name, OnionServiceAddress address, int weight)
{
    private OnionDescriptor? _descriptor;
    private DescriptorContent? _content;
    private TimePeriod _period;

    public string Name => name;

    public OnionServiceAddress Address => address;

    /// <summary>Its share relative to the others.</summary>
    public int Weight => weight;

    /// <summary>When the last descriptor that could be used was received; null when there was none.</summary>
    public DateTimeOffset? ReceivedAt { get; private set; }

    /// <summary>When its introduction points last changed.</summary>
    public DateTimeOffset? ChangedAt { get; private set; }

    /// <summary>
    /// When a descriptor came that the service had made since the one before: a tor that lives makes a new one every one or two hours.
    /// </summary>
    public DateTimeOffset? RevisedAt { get; private set; }

    /// <summary>Why the last descriptor could not be used; null when it could.</summary>
    public DescriptorProblem? Problem { get; private set; }

    /// <summary>What the last usable descriptor holds.</summary>
    public DescriptorContent? Content => _content;

    /// <summary>Takes a descriptor that a directory gave for its address.</summary>
    /// <param name="periods">In which it may be published now.</param>
    public Receipt Receive(string text, ReadOnlySpan<TimePeriod> periods, DateTimeOffset now)
    {
        if (OnionDescriptor.Read(text, now, out var problem) is not { } descriptor)
            return Refuse(problem);
        if (descriptor.PeriodOf(address, periods) is not { } period)
            return Refuse(new DescriptorProblem(DescriptorFault.WrongService, $"it is not signed by {address} for this time"));
        if (_descriptor is not null
            && (period.Number < _period.Number || (period == _period && descriptor.RevisionCounter < _descriptor.RevisionCounter)))
            return Receipt.Older;
        if (descriptor.Open(address, now, out problem) is not { } content)
            return Refuse(problem);

        if (_descriptor is null || period != _period || descriptor.RevisionCounter != _descriptor.RevisionCounter)
            RevisedAt = now;
        bool hasChanged = _content is null || !KeysOf(content).SetEquals(KeysOf(_content));
        (_descriptor, _content, _period, ReceivedAt, Problem) = (descriptor, content, period, now, null);
        if (!hasChanged)
            return Receipt.Unchanged;
        ChangedAt = now;
        return Receipt.Changed;
    }

    /// <summary>Its introduction points that may be published; null when it has none, or was not heard of for too long.</summary>
    /// <param name="maxAge">How long after its last receipt a descriptor counts.</param>
    public InstancePoints? Live(DateTimeOffset now, TimeSpan maxAge)
    {
        if (_content is null || now - ReceivedAt > maxAge)
            return null;
        IntroductionPoint[] points =
        [
            .. _content.IntroductionPoints.Where(
                point => !point.HasLegacyKey
                    && !point.AuthenticationKey.HasExpiredAt(now)
                    && !point.EncryptionCertificate.HasExpiredAt(now)),
        ];
        return points.Length > 0 ? new InstancePoints(name, weight, points) : null;
    }

    private Receipt Refuse(DescriptorProblem problem)
    {
        Problem = problem;
        return Receipt.Refused;
    }

    // By the key that the relay knows the service's circuit by: a new circuit is a new point.
    private static HashSet<Bytes32> KeysOf(DescriptorContent content) =>
        [.. content.IntroductionPoints.Select(static point => point.AuthenticationKey.Key)];
}
