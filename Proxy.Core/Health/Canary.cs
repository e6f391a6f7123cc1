using TorBalancer.Primitives;

namespace TorBalancer.Health;

/// <summary>What a circuit probe asks for.</summary>
/// <param name="Target">Where to.</param>
/// <param name="Path">What to GET there, with its query; null: being connected is enough.</param>
/// <param name="IsTls">https.</param>
/// <param name="WantsIsTor">It is check.torproject.org: its answer says whether the request came through Tor.</param>
internal sealed record Canary(HostEndPoint Target, string? Path, bool IsTls, bool WantsIsTor)
{
    private const string TorCheck = "check.torproject.org";

    /// <param name="text">host:port or http(s)://…, as the configuration has checked it.</param>
    public static Canary Parse(string text)
    {
        if (!text.Contains("://", StringComparison.Ordinal))
        {
            return HostEndPoint.TryParseAuthority(text, null, out var plain)
                ? new Canary(plain, null, false, false)
                : throw new FormatException($"'{text}' is no canary");
        }

        var url = new Uri(text);
        if (!HostEndPoint.TryFromUri(url, out var target, out _))
            throw new FormatException($"'{text}' is no canary");
        bool wantsIsTor = target.Host == TorCheck;

        // The page is for people; the same answer for programs is at /api/ip.
        return new Canary(target, wantsIsTor ? "/api/ip" : url.PathAndQuery, url.Scheme == Uri.UriSchemeHttps, wantsIsTor);
    }
}
