using TorBalancer.Admin.Metrics;

namespace TorBalancer.Daemon.Metrics;

/// <summary>What the daemon says of itself beside its metrics: the resource of OpenTelemetry.</summary>
internal static class OtlpResource
{
    private const string ServiceName = "service.name", ServiceVersion = "service.version";

    /// <summary>
    /// Name and version, and what the environment says: <c>OTEL_RESOURCE_ATTRIBUTES = key=value,…</c>, percent-encoded, and
    /// <c>OTEL_SERVICE_NAME</c>, which goes before it (OpenTelemetry specification, resource SDK and environment variables). A list with
    /// a part that is not key=value is left out whole, as the specification says.
    /// </summary>
    /// <param name="variable">The value of an environment variable; null: not set.</param>
    public static IReadOnlyList<KeyValuePair<string, string>> Attributes(Func<string, string?> variable)
    {
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [ServiceName] = "torbalancer",
            [ServiceVersion] = ProcessFigures.Version,
        };
        string[] given = (variable("OTEL_RESOURCE_ATTRIBUTES") ?? "").Split(
            ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (Array.TrueForAll(given, static one => one.IndexOf('=') > 0))
        {
            foreach (string one in given)
            {
                int equals = one.IndexOf('=');
                attributes[Uri.UnescapeDataString(one[..equals].Trim())] = Uri.UnescapeDataString(one[(equals + 1)..].Trim());
            }
        }

        if (variable("OTEL_SERVICE_NAME") is { Length: > 0 } name)
            attributes[ServiceName] = name;
        return [.. attributes];
    }
}
