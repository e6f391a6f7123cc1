namespace TorBalancer.Admin.Fetch;

/// <summary>Which answers lead on, and where to (RFC 9110, section 15.4).</summary>
internal static class FetchRedirects
{
    /// <summary>More than any honest site needs; fetch and browsers stop at 20.</summary>
    public const int Max = 10;

    /// <summary>
    /// The next URL, or null when the answer is to be handed over as it is: no redirect, no usable Location, or one that
    /// would give up the encryption of the URL before it. An onion service encrypts by itself.
    /// </summary>
    public static Uri? Next(Uri from, int status, string? location)
    {
        if (status is not (301 or 302 or 303 or 307 or 308)
            || string.IsNullOrEmpty(location)
            || !Uri.TryCreate(from, location, out var next))
            return null;
        var (target, problem) = FetchRequestReader.TargetOf(next);
        if (problem is not null)
            return null;
        return from.Scheme == Uri.UriSchemeHttps && next.Scheme == Uri.UriSchemeHttp && !target.IsOnion
            ? null
            : FetchRequestReader.Canonical(next, target);
    }

    /// <summary>
    /// Scheme, host and port: credentials stay within them (RFC 9110, section 15.4; RFC 6454, section 4). Both URLs are canonical.
    /// </summary>
    public static bool SameOrigin(Uri a, Uri b) => a.Scheme == b.Scheme && a.Port == b.Port && a.Host == b.Host;
}
