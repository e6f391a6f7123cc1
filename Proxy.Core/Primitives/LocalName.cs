namespace TorBalancer.Primitives;

/// <summary>
/// Names that mean something only to the machine or the network of whoever asks. Beside <see cref="PublicAddress"/> the only
/// list of its kind. It holds what RFCs take out of the DNS for such use, and no more: tor itself refuses "localhost" and
/// "*.local" only. Not here is what an exit may be asked for without harm, because its answer ("no such name") is the target's:
/// .internal, which no RFC reserves, .test and .invalid.
/// </summary>
internal static class LocalName
{
    // RFC 6761, section 6.3; RFC 6762, section 3; RFC 8375, section 4.
    private static readonly string[] Domains = ["localhost", "local", "home.arpa"];

    /// <summary>True for one of these domains and every name below.</summary>
    /// <param name="name">In canonical form.</param>
    public static bool Is(ReadOnlySpan<char> name)
    {
        foreach (string domain in Domains)
        {
            if (HostName.IsWithin(name, domain))
                return true;
        }

        return false;
    }
}
