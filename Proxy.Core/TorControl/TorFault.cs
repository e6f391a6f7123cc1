namespace TorBalancer.TorControl;

/// <summary>A fault of tor's that undoes what a proxy in front of it promises, and the releases that have it.</summary>
/// <param name="Since">The first release with it.</param>
/// <param name="FixedIn">The first one without.</param>
/// <param name="Reference">How tor's release notes call it.</param>
/// <param name="Consequence">What it means to who uses such a tor, as a clause.</param>
internal sealed record TorFault(TorVersion Since, TorVersion FixedIn, string Reference, string Consequence)
{
    /// <summary>Stream isolation was not kept in step on all legs of a conflux set (release notes of 0.4.9.12, bug 41325).</summary>
    public static TorFault ConfluxAcrossIsolation { get; } = new(
        TorVersion.FirstWithConflux, new TorVersion(0, 4, 9, 12), "TROVE-2026-040",
        "a circuit set (conflux) of one client may carry another client's streams; ConfluxEnabled 0 in its torrc avoids that");

    /// <summary>
    /// An onion circuit whose stream had closed before it was ready lost its isolation (release notes of 0.4.9.13, bug 41368).
    /// </summary>
    public static TorFault OnionCircuitOfClosedStream { get; } = new(
        new TorVersion(0, 2, 3, 3), new TorVersion(0, 4, 9, 13), "TROVE-2026-053",
        "an onion circuit whose stream ended too early may carry another client's streams; such streams are kept open, and no connection "
            + "to an onion service is hedged");

    /// <summary>An END cell with reason 0 was taken for success (release notes of 0.4.9.13, bug 41353).</summary>
    public static TorFault EndWithoutReason { get; } = new(
        new TorVersion(0, 1, 2, 3), new TorVersion(0, 4, 9, 13), "bug 41353",
        "an exit or an onion service may have a stream that it refuses called open");

    /// <summary>All that are known, the one that was fixed first before the others.</summary>
    public static IReadOnlyList<TorFault> All { get; } = [ConfluxAcrossIsolation, OnionCircuitOfClosedStream, EndWithoutReason];

    /// <summary>Whether a release has it.</summary>
    public bool Has(TorVersion version) => version >= Since && version < FixedIn;

    public override string ToString() => $"{Consequence} ({Reference}, fixed in {FixedIn})";
}
