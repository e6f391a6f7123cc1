using TorBalancer.Onion.Network;

namespace TorBalancer.Onion.Publishing;

/// <summary>
/// One version of the first or the second descriptor: the same revision counter at all directories, whether they get the same text or
/// different ones. A client drops a descriptor that is older than the one it has.
/// </summary>
/// <param name="Term">What it is published by.</param>
/// <param name="Plan">What its introduction points were picked from; the same plan needs no new version.</param>
/// <param name="Revision">Its revision counter.</param>
/// <param name="IsDistinct">Each directory has introduction points of its own.</param>
/// <param name="Instances">Names of the instances that have a place in it.</param>
internal sealed record DescriptorVersion(
    DescriptorTerm Term, string Plan, ulong Revision, bool IsDistinct, IReadOnlyList<string> Instances, DateTimeOffset BuiltAt,
    IReadOnlyList<DirectoryUpload> Uploads)
{
    /// <summary>When some directory was last told to take it; null: none was.</summary>
    public DateTimeOffset? AttemptedAt { get; set; }

    /// <summary>True when these directories keep it.</summary>
    public bool IsAt(IReadOnlyList<ResponsibleDirectory> directories) =>
        directories.Count == Uploads.Count && directories.Select(static one => one.Relay.Fingerprint)
            .Order(StringComparer.Ordinal).SequenceEqual(Uploads.Select(static one => one.Fingerprint).Order(StringComparer.Ordinal));
}
