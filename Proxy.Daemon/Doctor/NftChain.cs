namespace TorBalancer.Daemon.Doctor;

/// <summary>Where the kernel calls a chain.</summary>
internal enum NftHook : byte
{
    /// <summary>Another one than these.</summary>
    Other,
    Prerouting,
    Input,
    Forward,
}

/// <summary>What becomes of a packet in a chain that the kernel calls.</summary>
internal enum NftFate : byte
{
    /// <summary>It goes on, to the next chain of the hook and behind it.</summary>
    Accept,

    /// <summary>It is dropped or rejected, whatever other chains say.</summary>
    Drop,

    /// <summary>It goes to a port of this machine: redirect, tproxy, or dnat to an address of its own.</summary>
    Turn,

    /// <summary>It goes on to another machine than it was sent to: dnat.</summary>
    Away,
}

/// <summary>A chain that the kernel calls by itself.</summary>
/// <param name="Family">ip, ip6 or inet, which is both.</param>
/// <param name="Table">The table's name.</param>
/// <param name="Name">The chain's.</param>
/// <param name="Hook">Where it is called.</param>
/// <param name="Priority">Those with a lower one are called before.</param>
/// <param name="IsNat">It decides once for each connection.</param>
/// <param name="Policy">What becomes of those about which no rule decides.</param>
internal sealed record NftChain(
    string Family, string Table, string Name, NftHook Hook, int Priority, bool IsNat, NftFate Policy)
{
    /// <summary>As people look for it.</summary>
    public override string ToString() => $"table {Family} {Table}, chain {Name}";

    /// <summary>It is called for packets of this version of the Internet Protocol, 4 or 6.</summary>
    public bool IsOfVersion(int version) => Family == "inet" || Family == (version == 4 ? "ip" : "ip6");
}

/// <summary>One of the things that may become of a packet in a chain.</summary>
/// <param name="Port">Where it is turned to; 0: it is not, or the rule does not show where.</param>
/// <param name="To">The other machine, in words; null: it goes to none.</param>
internal readonly record struct NftEnd(NftFate Fate, int Port = 0, string? To = null);

/// <summary>
/// What a chain does with a packet: one end where its rules ask for nothing that is not known, else all that are possible, in the order of
/// the rules.
/// </summary>
internal sealed record NftPassage(NftChain Chain, IReadOnlyList<NftEnd> Ends)
{
    /// <summary>Whatever else the packet is, a rule decides where it goes, and no later one of this kind does.</summary>
    public bool Diverts => Ends.All(static end => end.Fate is NftFate.Turn or NftFate.Away);

    /// <summary>Whatever else the packet is, this becomes of it.</summary>
    public bool Always(NftFate fate) => Ends.All(end => end.Fate == fate);

    /// <summary>This becomes of some such packets.</summary>
    public bool Sometimes(NftFate fate) => Ends.Any(end => end.Fate == fate);
}
