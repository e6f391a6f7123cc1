using System.Globalization;
using System.Text.Json;
using TorBalancer.Balancing;
using TorBalancer.Primitives;

namespace TorBalancer.Admin.Fetch;

/// <summary>
/// Reads the body of POST /api/v1/fetch member by member, so that each mistake can be named with what is allowed instead.
/// Nothing is guessed: a member that is not known, of the wrong type or out of range is an error.
/// </summary>
internal static class FetchRequestReader
{
    private const int MaxStickyKey = 1024;
    private const int MaxSeconds = 600;

    private static readonly string[] Members = ["url", "mode", "sticky_key", "timeout", "follow_redirects", "headers"];

    /// <summary>The request, or what is wrong with it.</summary>
    public static (FetchRequest? Request, FieldProblem? Problem) Read(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
            return (null, new FieldProblem(null, $"the body must be a JSON object, not {FieldProblem.Kind(body)}"));
        Uri? url = null;
        string? mode = null, stickyKey = null;
        var timeout = FetchRequest.DefaultTimeout;
        bool follow = true;
        IReadOnlyList<KeyValuePair<string, string>> headers = [];
        foreach (var member in body.EnumerateObject())
        {
            var value = member.Value;
            FieldProblem? problem;
            switch (member.Name)
            {
                case "url":
                    problem = ReadUrl(value, out url);
                    break;
                case "mode" or "sticky_key" or "timeout" or "follow_redirects" or "headers" when value.ValueKind == JsonValueKind.Null:
                    continue;
                case "mode":
                    problem = ReadMode(value, out mode);
                    break;
                case "sticky_key":
                    problem = ReadStickyKey(value, out stickyKey);
                    break;
                case "timeout":
                    problem = ReadTimeout(value, out timeout);
                    break;
                case "follow_redirects":
                    problem = ReadBoolean(value, out follow);
                    break;
                case "headers":
                    problem = FetchHeaders.Read(value, out headers);
                    break;
                default:
                    problem = new FieldProblem(member.Name, $"there is no member '{member.Name}'{Closest(member.Name)}", Members);
                    break;
            }

            if (problem is not null)
                return (null, problem);
        }

        if (url is null)
            return (null, new FieldProblem("url", "url is required: an absolute http or https URL"));
        return (
            new FetchRequest
            {
                Url = url,
                Mode = mode,
                StickyKey = stickyKey,
                Timeout = timeout,
                FollowRedirects = follow,
                Headers = headers,
            },
            null);
    }

    /// <summary>
    /// Where a URL leads, or why it cannot be fetched. Also asked of every redirect. A user name or password in it is an error
    /// (RFC 9110, section 4.2.4): dropping it, as where another program makes the request, would fetch something else than was asked for.
    /// </summary>
    public static (HostEndPoint Target, string? Problem) TargetOf(Uri url)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https"))
            return (default, "is not an absolute http or https URL");
        if (url.UserInfo.Length > 0)
            return (default, "holds a user name or password; send an Authorization header instead");

        return HostEndPoint.TryFromUri(url, out var target, out string? problem)
            ? (target, null)
            : (default, $"has no valid host and port: {problem}");
    }

    /// <summary>The URL with its host as it is in the target: the Host field, TLS and the answer name what is connected to.</summary>
    public static Uri Canonical(Uri url, HostEndPoint target) => new(Text(url, target));

    /// <summary>The URL as text, with the host that is connected to.</summary>
    public static string Text(Uri url, HostEndPoint target) =>
        $"{url.Scheme}://{target.ToAuthority(url.Scheme == Uri.UriSchemeHttps ? 443 : 80)}{url.PathAndQuery}{url.Fragment}";

    private static FieldProblem? ReadUrl(JsonElement value, out Uri? url)
    {
        url = null;
        if (value.ValueKind != JsonValueKind.String)
            return new FieldProblem("url", $"url must be a string with an absolute http or https URL, not {FieldProblem.Kind(value)}");
        if (!Uri.TryCreate(value.GetString(), UriKind.Absolute, out url))
            return new FieldProblem("url", "url is not an absolute http or https URL");
        var (target, problem) = TargetOf(url);
        if (problem is not null)
            return new FieldProblem("url", "url " + problem);
        url = Canonical(url, target);
        return target.IsOnion && !OnionAddress.IsValid(target.Host)
            ? new FieldProblem(
                "url",
                $"url names an onion address that is not a version 3 address with a right checksum "
                    + $"({FailureCause.OnionAddressInvalid.Word()})")
            : null;
    }

    private static FieldProblem? ReadMode(JsonElement value, out string? mode)
    {
        mode = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        if (mode is not null && SelectionPolicyNames.All.Contains(mode))
            return null;
        string found = mode is null ? FieldProblem.Kind(value) : $"'{mode}'";
        return new FieldProblem(
            "mode", $"mode is {found}; allowed: {string.Join(", ", SelectionPolicyNames.All)}", SelectionPolicyNames.All);
    }

    private static FieldProblem? ReadStickyKey(JsonElement value, out string? key)
    {
        key = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        if (key is null)
            return new FieldProblem("sticky_key", $"sticky_key must be a string, not {FieldProblem.Kind(value)}");
        return key.Length is 0 or > MaxStickyKey
            ? new FieldProblem(
                "sticky_key", string.Create(CultureInfo.InvariantCulture, $"sticky_key must have 1 to {MaxStickyKey} characters"))
            : null;
    }

    private static FieldProblem? ReadTimeout(JsonElement value, out TimeSpan timeout)
    {
        timeout = default;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double seconds) || !(seconds is >= 1 and <= MaxSeconds))
        {
            string found = value.ValueKind == JsonValueKind.Number ? value.GetRawText() : FieldProblem.Kind(value);
            return new FieldProblem(
                "timeout",
                $"timeout is {found}; allowed: a number of seconds from 1 to {MaxSeconds.ToString(CultureInfo.InvariantCulture)}");
        }

        timeout = TimeSpan.FromSeconds(seconds);
        return null;
    }

    private static FieldProblem? ReadBoolean(JsonElement value, out bool result)
    {
        result = value.ValueKind == JsonValueKind.True;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? null
            : new FieldProblem("follow_redirects", $"follow_redirects must be true or false, not {FieldProblem.Kind(value)}");
    }

    private static string Closest(string name) =>
        Members.FirstOrDefault(member => Spelling.Distance(name, member) == 1) is { } best ? $"; did you mean '{best}'?" : "";
}
